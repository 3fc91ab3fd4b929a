"""ORE's own example of historical VaR, its two trades 250 times: Open Source Risk Engine beside riskpipe, CPU seconds.

The example is `MarketRisk/Input/ore_histsimvar.xml` of ORE's `Examples`: a swap of two currencies and a forward
exchange, moves over ten days that overlap. The history is made here, levels of three years that wander, and told to
both: to ORE as the discount factors of its simulation's grid, to riskpipe as zero rates of the imported curves' own
points, between that grid as ORE interpolates it. So the P&L of each day should be alike, which is printed, too.

Needs the extra `ore`, and where ORE's examples are:

    ORE_EXAMPLES=/path/to/Examples python -m benchmarks ore_var
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.small import cpu_seconds, process_seconds

EXAMPLES = "ORE_EXAMPLES"
COPIES, ROUNDS = 250, 5
AS_OF, FIRST = date(2019, 12, 30), date(2016, 12, 30)
HORIZON_DAYS = 10
# Of the example's simulation, as its simulation.xml has them: tenors, of which the first is two weeks, in days.
MONTHS = np.array([1, 3, 6, 12, 24, 36, 60, 120, 180, 240, 360])
_SAME_DAYS = (np.datetime64(AS_OF, "M") + MONTHS).astype("datetime64[D]") + (AS_OF.day - 1)
GRID = np.array([14.0, *(_SAME_DAYS - np.datetime64(AS_OF)).astype(float)])
# Its curves, and roughly today's level of each.
CURVES = {
    "DiscountCurve/EUR": -0.004,
    "DiscountCurve/USD": 0.018,
    "IndexCurve/EUR-EONIA": -0.004,
    "IndexCurve/EUR-EURIBOR-3M": -0.0035,
    "IndexCurve/EUR-EURIBOR-6M": -0.003,
    "IndexCurve/USD-FedFunds": 0.016,
    "IndexCurve/USD-LIBOR-3M": 0.019,
}
ORE_NAME = {"EUR-EONIA": "DiscountCurve/EUR", "USD-IN-EUR": "DiscountCurve/USD"}
"""Of imported curves that discount; the others are called as their index."""
RUN_ORE = "import sys; from ORE import *; p = Parameters(); p.fromFile(sys.argv[1]); OREApp(p, False).run()"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class History:
    """:param dates: of levels. :param logarithms: by ORE's curve float64[dates, grid], of discount factors.
    :param usd: float64[dates], euros a dollar.
    """

    dates: Sequence[date]
    logarithms: dict[str, Floats]
    usd: Floats


def wandering(seed: int = 5) -> History:
    """Curves move in level and slope, those of a currency together, and a little alone."""
    rng = np.random.default_rng(seed)
    every = (FIRST + timedelta(k) for k in range((AS_OF - FIRST).days + 1))
    dates = [day for day in every if day.weekday() < 5]
    years, n = GRID / 365.0, len(dates)
    moves = {currency: rng.normal(0.0, (3e-4, 2e-4), (n, 2)) for currency in ("EUR", "USD")}
    logarithms = {}
    for curve, today in CURVES.items():
        level, slope = _to_zero_today(moves["EUR" if "EUR" in curve else "USD"]).T
        own = _to_zero_today(rng.normal(0.0, 3e-5, n))
        rates = today + (level + own)[:, None] + slope[:, None] * (1.0 - np.exp(-years / 5.0))
        logarithms[curve] = -rates * years
    return History(dates, logarithms, 0.893 * np.exp(_to_zero_today(rng.normal(0.0, 0.005, n))))


def _to_zero_today(moves: Floats) -> Floats:
    """Sums of moves along the first axis that end at zero."""
    level = np.cumsum(moves, axis=0)
    return np.asarray(level - level[-1])


def write_ore(example: Path, place: Path, history: History, copies: int) -> Path:
    """ORE's inputs with so many copies of each trade, of different sizes, and the history; the main file."""
    inputs = place / "Input"
    folder, main = inputs / "HistSimVar", inputs / "ore_histsimvar.xml"
    folder.mkdir(parents=True)
    for path in (example / main.name, *(example / folder.name).iterdir()):
        shutil.copyfile(path, inputs / path.relative_to(example))
    trades = re.findall(r"<Trade id=.*?</Trade>", (folder / "portfolio.xml").read_text(), re.DOTALL)
    copied = [_resized(trade, str(k), 0.5 + k / max(copies, 2)) for k in range(copies) for trade in trades]
    (folder / "portfolio.xml").write_text(f"<Portfolio>{''.join(copied)}</Portfolio>")
    keys = [f"{curve}/{k}" for curve in CURVES for k in range(len(GRID))]
    with (folder / "scenarios.csv").open("w") as file:
        file.write(",".join(["Date", "Scenario", "Numeraire", *keys, "FXSpot/USDEUR/0"]) + "\n")
        for k, day in enumerate(history.dates):
            levels = np.concatenate([np.exp(history.logarithms[curve][k]) for curve in CURVES])
            file.write(",".join([str(day), str(k), "1", *map(repr, [*levels.tolist(), float(history.usd[k])])]) + "\n")
    # One figure of all, where it makes six by class of risk and of factor unless told otherwise.
    whole = "".join(f'<Parameter name="{name}Breakdown">N</Parameter>' for name in ("riskFactor", "riskClass"))
    text = main.read_text().replace('name="logMask">31', 'name="logMask">3')
    main.write_text(text.replace('<Parameter name="tradePnl">', f'{whole}<Parameter name="tradePnl">'))
    return main


def _resized(trade: str, suffix: str, by: float) -> str:
    trade = re.sub(r'<Trade id="([^"]*)"', rf'<Trade id="\g<1>_{suffix}"', trade)
    amounts = r"<(Notional|BoughtAmount|SoldAmount)>([\d.]+)<"
    return re.sub(amounts, lambda found: f"<{found[1]}>{float(found[2]) * by:.0f}<", trade)


def ore_pnl(place: Path) -> tuple[list[tuple[date, date]], Floats]:
    """The two dates of each move, and what all trades gain by it."""
    with (place / "Output" / "HistSimVar" / "historical_PnL.csv").open() as file:
        rows = list(csv.DictReader(file))
    # Else it has made more figures than are compared.
    assert all(row["RiskClass"] == row["RiskType"] == "All" for row in rows)
    dates = [(date.fromisoformat(row["PLDate1"]), date.fromisoformat(row["PLDate2"])) for row in rows]
    return dates, np.array([float(row["PLAmount"]) for row in rows])


def write_history(book: Path, history: History, moves: Sequence[tuple[date, date]]) -> None:
    """Let an imported book that has been run have the history, of the days that ORE's moves are between.

    The curve that ORE makes of quotes becomes the zero rates that riskpipe has made of them, so that both move points.
    """
    days = sorted(set().union(*moves))
    at = [history.dates.index(day) for day in days]
    (published,) = (book / "output/published/factors").rglob("*.parquet")
    points = [row for row in pq.read_table(published).to_pylist() if row["kind"] == "zero_rate"]
    levels = {"spot:EURUSD": 1.0 / history.usd[at]}
    for point in points:
        name = point["name"].split(".")[0]
        logarithms = history.logarithms[ORE_NAME.get(name, f"IndexCurve/{name}")][at]
        known = [np.interp(point["days"], [0.0, *GRID], [0.0, *row]) for row in logarithms]
        levels[point["factor"]] = -np.array(known) / (point["days"] / 365.0)
    table = {
        "date": pa.array(np.tile(np.array(days, "datetime64[D]"), len(levels))),
        "factor": np.repeat(list(levels), len(days)),
        "value": np.concatenate(list(levels.values())),
    }
    pq.write_table(pa.table(table), book / "data" / "history.parquet")
    market = pq.read_table(book / "data" / "market.parquet")
    kept = [row for row in market.to_pylist() if row["kind"] not in ("par_rate", "zero_rate")]
    said = ("factor", "kind", "name", "currency")
    rates = [
        {name: p[name] for name in said} | {"tenor": p["factor"].split(":")[2], "value": p["level"]} for p in points
    ]
    pq.write_table(pa.Table.from_pylist(kept + rates, market.schema), book / "data" / "market.parquet")
    config = book / "riskpipe.yaml"
    text = config.read_text().replace("data/market.parquet", "data/market.parquet\n  history: data/history.parquet")
    text = text.replace("- pv", "- pv\n- historical_var")
    config.write_text(f"{text}\nhistory:\n  horizon_days: {HORIZON_DAYS}\n")


def riskpipe_pnl(book: Path) -> Floats:
    """What all trades gain by each move."""
    (published,) = (book / "output/published/book_pnl").rglob("*.parquet")
    (whole,) = (row for row in pq.read_table(published).to_pylist() if row["book"] == "")
    return np.array(whole["pnl"])


class Both:
    """The same trades and history, for ORE and for riskpipe."""

    def __init__(self, examples: Path, place: Path, copies: int) -> None:
        """:param examples: ORE's `Examples`. :param place: an empty directory."""
        history = wandering()
        self._place, self.book = place, place / "book"
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        self._main = write_ore(examples / "MarketRisk" / "Input", place, history, copies)
        self.ore()
        self.imported()
        self.run()
        self.moves, self.ore_pnl = ore_pnl(place)
        write_history(self.book, history, self.moves)

    def ore(self) -> float:
        """CPU seconds, as those of the others."""
        return process_seconds([sys.executable, "-c", RUN_ORE, str(self._main)], self._place, self._environment)

    def imported(self) -> float:
        return self._riskpipe("import", "ore", str(self._main), "-o", str(self.book), "--force", "--quiet")

    def run(self) -> float:
        return self._riskpipe("run", "-c", str(self.book / "riskpipe.yaml"), "--resume", "never", "--quiet")

    def _riskpipe(self, *words: str) -> float:
        return cpu_seconds(sys.executable, words, self._place, self._environment)


def main() -> dict[str, object]:
    examples = os.environ.get(EXAMPLES)
    try:
        import ORE  # noqa: F401
    except ImportError:
        examples = None
    if not examples:
        print(f"left out: needs {EXAMPLES}, the directory of ORE's examples, and the extra `ore`")
        return {}
    with tempfile.TemporaryDirectory(prefix="riskpipe-bench-") as temporary:
        both = Both(Path(examples), Path(temporary), COPIES)
        both.run()
        taken = [(both.ore(), both.run()) for _ in range(ROUNDS)]
        pnl = riskpipe_pnl(both.book)
        spread = float(np.std(both.ore_pnl))
        ore, ours = (statistics.median(values) for values in zip(*taken, strict=True))
        result = {
            "trades": 2 * COPIES,
            "moves": len(pnl),
            "ore": ore,
            "riskpipe": ours,
            "importing": both.imported(),
            "quantiles": [float(np.quantile(values, 0.01)) for values in (both.ore_pnl, pnl)],
            "largest_difference": float(np.max(np.abs(pnl - both.ore_pnl))) / spread,
        }
    print(f"{result['trades']} trades x {len(pnl)} moves, CPU s: ORE {ore:.1f}, riskpipe {ours:.2f}", end="")
    print(f" (importing, once: {result['importing']:.2f}); {ore / ours:.0f} times")
    print("1 % quantile of ORE {:,.0f}, of riskpipe {:,.0f}".format(*result["quantiles"]), end="")  # type: ignore[misc]
    print(f"; P&L of a move differs by {result['largest_difference']:.2%} of its deviation at most")
    return {"ore_var": result}


if __name__ == "__main__":
    main()
