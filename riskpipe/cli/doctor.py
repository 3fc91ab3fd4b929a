"""`riskpipe doctor`: whether this machine can do a run."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import columns, size
from riskpipe.clusters.findings import Finding
from riskpipe.errors import ExitCode, Level
from riskpipe.structs import asdict

if TYPE_CHECKING:
    from riskpipe.config import Settings

PACKAGES = ("numpy", "numba", "pyarrow", "dask", "distributed", "QuantLib", "pydantic", "msgspec", "typer")
OPTIONAL_PACKAGES = ("dask-kubernetes", "kr8s")
LITTLE_MEMORY = 2 * 2**30


def doctor(invocation: Invocation) -> ExitCode:
    """Look at versions, configuration, output, kernel cache, cores and memory; exits 6 if one is wrong.

    \b
    Examples:
    riskpipe doctor
    """
    findings = [*_versions(), *_machine(), *_configured(invocation)]
    wrong = any(finding.level == Level.ERROR for finding in findings)
    code = ExitCode.INFRASTRUCTURE if wrong else ExitCode.DONE
    rows = [[finding.level, finding.what, finding.detail] for finding in findings]
    lines = [line.rstrip() for line in columns(["", "", ""], rows)[1:]]
    invocation.answer({"findings": [asdict(finding) for finding in findings], "exit_code": code}, lines)
    return code


def _versions() -> Iterator[Finding]:
    from riskpipe import __version__

    yield Finding(Level.OK, "riskpipe", __version__)
    yield Finding(Level.OK, "python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    for package in PACKAGES:
        found = _version(package)
        yield Finding(Level.OK if found else Level.ERROR, package, found or "not installed")
    for package in OPTIONAL_PACKAGES:
        yield Finding(Level.OK, package, _version(package) or "not installed (extra `kubernetes`)")


def _machine() -> Iterator[Finding]:
    import dask.system
    import distributed.system

    from riskpipe.kernels.compiler import CPU, cache_directory

    yield Finding(Level.OK, "cores", str(dask.system.CPU_COUNT))
    memory = int(distributed.system.MEMORY_LIMIT)
    level = Level.OK if memory >= LITTLE_MEMORY else Level.WARNING
    yield Finding(level, "memory", f"{size(memory)} for this process and its workers")
    yield Finding(Level.OK, "kernel cache", f"{cache_directory()} for {CPU}")


def _configured(invocation: Invocation) -> Iterator[Finding]:
    from riskpipe.errors import ConfigurationError

    try:
        resolution = invocation.resolution()
    except ConfigurationError as error:
        for fault in error.faults:
            yield Finding(Level.WARNING, "configuration", fault)
        return
    settings = resolution.settings
    yield Finding(Level.OK, "configuration", resolution.file)
    yield _tried("output", settings.output, lambda: _probe(settings))
    kind = settings.cluster.runs_on
    yield from kind.findings(settings.cluster.options_of(kind))


def _probe(settings: Settings) -> None:
    from riskpipe.store.location import open_store

    open_store(settings.output).probe_writable()


def _tried(what: str, detail: str, action: Callable[[], None]) -> Finding:
    from riskpipe.config import masked
    from riskpipe.errors import RiskpipeError

    try:
        action()
    except RiskpipeError as error:
        return Finding(Level.ERROR, what, masked(str(error)))
    return Finding(Level.OK, what, f"{masked(detail)} can be written")


def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None
