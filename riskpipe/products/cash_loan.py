"""Cash that is lent once and comes back once, with interest: what deposits and repos have in common."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.kernels.periods import WHOLE
from riskpipe.market.conventions import Conventions
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import Column, Need, Prepared, Product, RowFaults
from riskpipe.products.floating import (
    FloatingFlows,
    FloatingLeg,
    fixing_faults,
    floating_flows,
    projection_curve,
    rate_needs,
)
from riskpipe.products.flows import Amounts, Integers, merged, offsets_of
from riskpipe.products.leg_dates import fixing_calendars
from riskpipe.products.legs import NO_NODES, KnownLeg, PreparedLegs, ProjectedLeg
from riskpipe.products.observations import observation_faults, observations
from riskpipe.products.trades import Trades
from riskpipe.products.validation import past_dates, rows_fault, unknown_currencies

SIZE_COLUMNS = (
    Column("currency", "string", "of the notional and the present value"),
    Column("discount_curve", "string", "zero_rate curve that discounts all flows"),
)
DATE_COLUMNS = (
    Column("start_date", "date", "when the notional is paid, taken as it is"),
    Column("maturity_date", "date", "when it comes back with the interest, taken as it is"),
)
# Of fixings, where neither the index nor the trade names one.
_CALENDAR = "weekends"


class CashLoan(Product):
    """A notional paid at the start and back at maturity with simple interest, or that of an index.

    :cvar lends: the direction of who pays the notional.
    """

    lends: ClassVar[str]

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        start, end = trades.days("start_date"), trades.days("maturity_date")
        wrong = (start >= end) & (start != Trades.NO_DATE) & (end != Trades.NO_DATE)
        return [
            *unknown_currencies(trades, "currency"),
            *rows_fault("maturity_date", "date_order", wrong, "maturity_date is not after start_date"),
            *past_dates(trades, "maturity_date", as_of, "maturity"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return rate_needs(trades, conventions)

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        _, floating = self._floating(trades, model)
        return [
            *observation_faults(trades, trades.labels("index"), model.conventions),
            *fixing_faults(floating),
        ]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.where(trades.labels("index").codes < 0, 0.15, 0.3)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        curve, projection = trades.labels("discount_curve"), projection_curve(trades, model.conventions)
        rows, floating = self._floating(trades, model)
        started, growth = floating.growth.of(rows).telescoped(projection, curve, model)
        exchanged = [part.where(part.day > model.as_of) for part in self._exchanges(trades)]
        known, n = merged([*exchanged, floating.known.of(rows), started]), len(trades)
        nodes, positions = model.projected((curve.take(known.trade), known.day), *growth.requests(projection, curve))
        return PreparedLegs(
            nodes,
            NO_NODES,
            (
                KnownLeg(offsets_of(known.trade, n), known.amount, positions[0]),
                ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[1:]),
            ),
        )

    def _lent(self, trades: Trades) -> FloatArray:
        """float64[n]: below zero where it is borrowed."""
        return np.where(trades.is_one("direction", self.lends), 1.0, -1.0) * trades.numbers("notional")

    def _exchanges(self, trades: Trades) -> tuple[Amounts, Amounts]:
        """The notional, and it again with the interest that is known."""
        every, lent = np.arange(len(trades)), self._lent(trades)
        start, end = trades.days("start_date"), trades.days("maturity_date")
        years = year_fraction(start, end, trades.labels("day_count"))
        repaid = lent * (1.0 + trades.numbers("rate", 0.0) * years)
        return Amounts(every, start, -lent), Amounts(every, end, repaid)

    def _floating(self, trades: Trades, model: MarketModel) -> tuple[Integers, FloatingFlows]:
        """The interest at an index that is still to be paid, by position among the trades that are returned."""
        alive = trades.days("maturity_date") > model.as_of
        rows = np.flatnonzero((trades.labels("index").codes >= 0) & alive)
        some, n = trades.take(rows), len(rows)
        start, end = some.days("start_date"), some.days("maturity_date")
        period = Schedule(np.arange(n + 1), start, end, start, end, end, np.full(n, WHOLE, np.int8))
        leg = FloatingLeg(
            period,
            some.labels("index"),
            some.labels("day_count"),
            Labels.constant(_CALENDAR, n),
            self._lent(some),
            some.numbers("spread", 0.0),
            observed=observations(some),
            fixing_calendar=fixing_calendars(some),
        )
        return rows, floating_flows(leg, model)
