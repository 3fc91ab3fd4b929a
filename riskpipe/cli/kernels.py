"""`riskpipe kernels`: the compiled code that pricing is made of."""

from __future__ import annotations

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import plural, size
from riskpipe.errors import ExitCode


def compile_(invocation: Invocation) -> ExitCode:
    """Compile every kernel into the cache, so that a worker's first block need not (for images).

    \b
    Examples:
    riskpipe kernels compile
    """
    from riskpipe.workflows.warm_up import compile_kernels

    done = compile_kernels()
    lines = [
        f"{done.directory}: {plural(len(done.kernels), 'kernel')} for {done.cpu}, {size(done.bytes)}",
        f"{done.made} compiled in {done.seconds:.0f} s, the others were there already",
    ]
    invocation.answer(done.to_json(), lines)
    return ExitCode.DONE
