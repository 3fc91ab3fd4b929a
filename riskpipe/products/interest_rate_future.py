"""Future on an interest rate: of a term, or of an overnight rate compounded over the contract's period."""

from __future__ import annotations

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.either import either
from riskpipe.products.floating import Coupons, FloatingLeg, fixing_faults, projection_curve
from riskpipe.products.flows import offsets_of
from riskpipe.products.futures import (
    CONTRACT,
    QUANTITY,
    REFERENCE_PRICE,
    Carried,
    contract_need,
    margined,
    of_contracts,
)
from riskpipe.products.legs import NO_NODES, PreparedLegs, ProjectedLeg
from riskpipe.products.observations import observation_columns, observation_faults, observations
from riskpipe.products.schedule_columns import day_count_column
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, past_dates, rows_fault, unknown_currencies

_AVERAGING = tuple(column for column in observation_columns() if column.name == "averaging")
# Of the fixings, where the index names none; a contract has no calendar of its own.
_CALENDAR = "weekends"


class InterestRateFuture(Product):
    """quantity x point_value x (futures price - reference_price), not discounted; the price is 100 (1 - rate).

    The futures price is that of `contract` for expiry_date, where one is named. Else the rate is that of a floating
    coupon of the index over the contract's period, plus sigma^2 t1 t2 / 2 for daily margining: sigma is
    `convexity_volatility`, t1 and t2 the times to the period's start and end (Ho and Lee 1986; Hull, Options, Futures
    and Other Derivatives, section 6.3). Overnight rates are compounded with the fixings so far (three-month SOFR), or
    by `averaging` averaged over all days of the period, of which those without a fixing have the one before (one-month
    SOFR, 30-day federal funds: from the first of a month to the first of the next). On its expiry date it is worth its
    last margin; after that it is over.
    """

    name = "interest_rate_future"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the value of a point"),
        Column("index", "string", "floating index; a forward curve unless the configuration says otherwise"),
        CONTRACT,
        QUANTITY,
        Column("point_value", "number", "of one point of the price, 1 %: 2500 at 25 a basis point", rule="positive"),
        REFERENCE_PRICE,
        Column("expiry_date", "date", "last day of trading"),
        Column("start_date", "date", "of the rate's period, not adjusted"),
        Column("maturity_date", "date", "end of the rate's period, not adjusted"),
        day_count_column("day_count", "of the rate"),
        Column(
            "convexity_volatility",
            "number",
            "normal, decimal a year, of the rate; null: 0",
            required=False,
            rule="nonnegative",
        ),
        *_AVERAGING,
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        start, end = trades.days("start_date"), trades.days("maturity_date")
        missing = (start == Trades.NO_DATE) | (end == Trades.NO_DATE)
        empty = (start >= end) & ~missing
        return [
            *unknown_currencies(trades, "currency"),
            *rows_fault("maturity_date", "date_order", empty, "maturity_date is not after start_date"),
            *out_of_order(trades, "expiry_date", "maturity_date"),
            *past_dates(trades, "expiry_date", as_of, "expiry"),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        made = trades.labels("contract").codes < 0
        projection = projection_curve(trades, conventions).where(made)
        return (contract_need(trades), Need("projection", ("zero_rate",), projection))

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        terms = observation_faults(trades, trades.labels("index"), model.conventions)
        return [*terms, *fixing_faults(_coupons(trades, model))]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.2)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        def quoted(some: Trades) -> Prepared:
            return margined(some, of_contracts(some, some.labels("currency"), model), "point_value")

        def projected(some: Trades) -> Prepared:
            return _from_curve(some, model)

        return either(trades, trades.labels("contract").codes >= 0, quoted, projected)


def _coupons(trades: Trades, model: MarketModel) -> Coupons:
    """One a trade, of those whose price is made of the curve."""
    made = trades.labels("contract").codes < 0
    offsets = np.concatenate(([0], np.cumsum(made)))
    start, end = trades.days("start_date")[made], trades.days("maturity_date")[made]
    none = np.zeros(len(start))
    leg = FloatingLeg(
        Schedule(offsets, start, end, start, end, end, np.zeros(len(start), np.int8)),
        trades.labels("index"),
        trades.labels("day_count"),
        Labels.constant(_CALENDAR, len(trades)),
        notional=none,
        spread=none,
        observed=observations(trades),
        as_given=True,
    )
    return Coupons(leg, model)


def _from_curve(trades: Trades, model: MarketModel) -> Prepared:
    """Linear in the growth of the projection curve: the rate is (known + weight growth) / tau."""
    coupons = _coupons(trades, model)
    points = 100.0 * trades.numbers("quantity") * trades.numbers("point_value")
    begin, end = model.time(trades.days("start_date")), model.time(trades.days("maturity_date"))
    convexity = 0.5 * trades.numbers("convexity_volatility", 0.0) ** 2 * begin * end
    known = 1.0 - coupons.known / coupons.tau - convexity - trades.numbers("reference_price") / 100.0
    growth = coupons.growth(-points * coupons.weight / coupons.tau).where(coupons.weight != 0.0)
    undiscounted = Labels(np.full(len(trades), -1, np.int32), ())
    nodes, (grown, paid) = model.projected(*growth.requests(projection_curve(trades, model.conventions), undiscounted))
    leg = ProjectedLeg(offsets_of(growth.trade, len(trades)), growth.coefficient, grown, paid)
    return Carried(PreparedLegs(nodes, NO_NODES, (leg,)), -points * known)
