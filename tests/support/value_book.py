"""Values a book in a process of its own: `python value_book.py CONFIG KEY=VALUE ...`; what kernels did, as JSON."""

from __future__ import annotations

import json
import sys

from riskpipe.config import load_settings
from riskpipe.kernels import compiler
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs.publication import Publication
from riskpipe.workflows.run import run

if __name__ == "__main__":
    config, *assignments = sys.argv[1:]
    settings = load_settings(config, assignments=assignments, environment={})
    done = run(settings, Selection(), resume="never", publication=Publication("always"), observer=SilentObserver())
    found = [kernel._asdict() for kernel in compiler.kernels() if kernel.signatures]
    sys.stdout.write(json.dumps({"state": done.state, "cpu": compiler.CPU, "kernels": found}))
