"""P&L by risk class: what it takes beside the same run without, and how many of its columns trades are priced under.

20,000 trades x 500 days of history, `pv` and `historical_var`, no vectors of trades, in this process; CPU seconds of
everything, in turns, the median of three. With `max_scenarios` as it is by default the columns of the classes are in
blocks of their own; with more of them they lie in the blocks of the whole.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from riskpipe.arrays import FloatArray
from riskpipe.config import load_settings
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs.publication import Publication
from riskpipe.valuation.price import _Valuation
from riskpipe.workflows.run import run

TRADES, SCENARIOS, ROUNDS = 20_000, 500, 3
VAR = ("measures=[pv, historical_var]", "scenario_pnl.historical=false", "risk.components.trades=0")
ONE_RANGE = "partition.max_scenarios=8192"
BY_CLASS = "risk.by_class=true"
ASKED = 2.9
"""Over a run without: what the valuations are, those of the whole and those of the classes."""


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Valuations by set of P&L."""
    found: Counter[str] = Counter()
    under, price = _Valuation.pnl_under, _Valuation._price
    names = [""]

    def named(self: _Valuation, set_name: str, wanted: Any) -> Any:
        names[0] = set_name
        return under(self, set_name, wanted)

    def counting(self: _Valuation, rows: Any, x: FloatArray, horizon: int = 0) -> FloatArray:
        found[names[0]] += len(rows) * x.shape[1] if x.shape[1] > 1 else 0
        return price(self, rows, x, horizon)

    _Valuation.pnl_under, _Valuation._price = named, counting  # type: ignore[method-assign]
    try:
        yield found
    finally:
        _Valuation.pnl_under, _Valuation._price = under, price  # type: ignore[method-assign]


def cpu_seconds(book: Path, *assignments: str) -> float:
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as output:
        given = ["cluster.kind=serial", f"output={output}", *VAR, *assignments]
        settings = load_settings(book / "riskpipe.yaml", assignments=given, environment={})
        start = time.process_time()
        run(settings, Selection(), publication=Publication("always"), observer=SilentObserver())
        return time.process_time() - start


def main() -> dict[str, object]:
    rows: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        book = Path(temporary) / "book"
        words = ["init", str(book), "--trades", str(TRADES), "--scenarios", str(SCENARIOS), "--quiet"]
        subprocess.run([sys.executable, "-m", "riskpipe", *words], check=True, stdout=subprocess.DEVNULL)
        with counted() as found:
            cpu_seconds(book, BY_CLASS)  # kernels are compiled, and kept
        whole = found.pop("historical")
        share = sum(found.values()) / whole
        print(f"valuations: {whole:,} of the whole, {sum(found.values()):,} of the classes ({share:.2f})")
        rows["valuations of the classes over the whole's"] = {"measured": share}
        for name, more in (("by default", ()), ("in one range of scenarios", (ONE_RANGE,))):
            turns = [(cpu_seconds(book, *more), cpu_seconds(book, BY_CLASS, *more)) for _ in range(ROUNDS)]
            without, by_class = (statistics.median(each) for each in zip(*turns, strict=True))
            ratio = by_class / without
            missed = "" if ratio <= ASKED else "  more than asked"
            print(f"{name:28} {without:6.2f} s {by_class:6.2f} s {ratio:5.2f} (asked {ASKED}){missed}", flush=True)
            rows[name] = {"measured": ratio, "asked": ASKED, "seconds": [without, by_class]}
    return rows


if __name__ == "__main__":
    main()
