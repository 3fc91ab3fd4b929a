"""Prices, yields and durations of bonds a second on one core, against QuantLib's functions of bonds in the same run.

Schedules are made within the time on this side, and before it on QuantLib's.

Run: python -m benchmarks bond_figures
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.bond_cases import bonds
from benchmarks.cases import COUNTS, RULE, Row, schedule
from benchmarks.market import SCENARIOS, Market, QuantLibMarket
from benchmarks.products import rates, trades_of
from riskpipe.products.bond import Bond

FIGURES = ("accrued", "clean_price", "dirty_price", "yield", "modified_duration")
TRADES, ASKED = 5000, 500


class QuantLibFigures:
    """The figures of bonds of the case `bonds`; the yield is of payments that are not moved, as the street has it."""

    def __init__(self, market: QuantLibMarket, rows: Sequence[Row]) -> None:
        engine = ql.DiscountingBondEngine(market.curves["EUR.GOVT"])
        self._bonds = []
        for row in rows:
            dates = schedule(row, "1Y", "issue_date", ql.Unadjusted)
            terms = (0, 100.0, dates, [float(row["coupon"])], COUNTS["30E/360"])
            own = ql.FixedRateBond(*terms, RULE, 100.0, ql.Date(), ql.TARGET())
            street = ql.FixedRateBond(*terms, ql.Unadjusted)
            own.setPricingEngine(engine)
            self._bonds.append((own, street))
        self._rule = (COUNTS["30E/360"], ql.Compounded, ql.Annual)

    def __call__(self) -> list[tuple[float, ...]]:
        found = []
        for own, street in self._bonds:
            accrued, clean, dirty = own.accruedAmount(), own.cleanPrice(), own.dirtyPrice()
            price = ql.BondPrice(clean, ql.BondPrice.Clean)
            rate = ql.BondFunctions.bondYield(street, price, *self._rule, ql.Date(), 1e-12, 100, 0.02)
            duration = ql.BondFunctions.duration(street, rate, *self._rule, ql.Duration.Modified)
            found.append((accrued, clean, dirty, rate, duration))
        return found


def main() -> dict[str, Any]:
    market = Market()
    theirs = QuantLibMarket(market)
    columns = bonds(np.random.default_rng(7), TRADES).columns
    columns["issue_date"] = columns["issue_date"] - 400  # interest has accrued
    trades, model, bond = trades_of("bond", columns), market.model("midpoint"), Bond()
    pv = bond.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), model.base)[:, 0]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)][:ASKED]
    theirs.move(0)
    quantlib = QuantLibFigures(theirs, rows)
    found = bond.figure_values(trades, model, pv, FIGURES)
    difference = float(np.abs(np.array(quantlib()) - np.column_stack([found[name][:ASKED] for name in FIGURES])).max())
    if not difference < 1e-8:
        raise ValueError(f"figures differ from QuantLib's by {difference:.1e}")

    def step(scenario: int) -> None:
        theirs.move(scenario)
        quantlib()

    ours, reference = rates(
        (TRADES, [lambda: bond.figure_values(trades, model, pv, FIGURES)]),
        (ASKED, [lambda k=k: step(k) for k in range(SCENARIOS)]),
    )
    print(f"bonds a second: {ours:.3g} (QuantLib {reference:.3g}), ratio {ours / reference:.3g}")
    return {"ratio": ours / reference, "largest_difference": difference}
