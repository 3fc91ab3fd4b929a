"""Forward rate agreement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.forwards import forward_rate_agreements
from riskpipe.market.conventions import Conventions
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import DiscountNodes
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.cash_flows import CashFlows, paid_once
from riskpipe.products.floating import (
    lacking,
    missing_fixings,
    projection_curve,
    rate_needs,
)
from riskpipe.products.flows import Integers
from riskpipe.products.index_groups import index_groups
from riskpipe.products.leg_date_faults import calendar_faults
from riskpipe.products.leg_dates import FIXING_CALENDAR, LAG, fixing_calendar_column, fixing_calendars
from riskpipe.products.schedule_columns import day_count_column
from riskpipe.products.shared_nodes import TradeNodes, evaluate_used
from riskpipe.products.single_payments import payment_columns, payment_days, payment_faults
from riskpipe.products.term_rates import term_fixings
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, past_dates, rows_fault, unknown_currencies

# Of the fixing, where the index names none; a trade has no calendar of its own.
_CALENDAR = "weekends"
_FIXING_CALENDAR = replace(
    fixing_calendar_column(), description="of the fixing; null: that of the index, else all but weekends"
)


class ForwardRateAgreement(Product):
    """Settled at the start of the period: notional x tau x (F - rate) / (1 + F tau), for the payer of the fixed rate.

    F is the forward rate over the period by the index's day count, or its fixing where there is one; tau is the
    trade's length of the period. Both dates are taken as they are. It is settled on the start date, unless the columns
    of the payment say otherwise; once that day has come it is worth nothing. (QuantLib's ForwardRateAgreement; market
    standard since FRABBA 1985.)
    """

    name = "fra"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the notional and the present value"),
        Column("index", "string", "floating index; a forward curve unless the configuration says otherwise"),
        Column("discount_curve", "string", "zero_rate curve that discounts the settlement"),
        Column("notional", "number", "below zero turns the direction round"),
        Column("direction", "string", "of the fixed rate", choices=("pay", "receive")),
        Column("rate", "number", "decimal a year"),
        Column("start_date", "date", "of the period, and when it is settled"),
        Column("maturity_date", "date", "end of the period"),
        day_count_column("day_count", "of the period"),
        _FIXING_CALENDAR,
        *payment_columns("start_date"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        start, end = trades.days("start_date"), trades.days("maturity_date")
        wrong = (start >= end) & (start != Trades.NO_DATE) & (end != Trades.NO_DATE)
        return [
            *unknown_currencies(trades, "currency"),
            *rows_fault("maturity_date", "date_order", wrong, "maturity_date is not after start_date"),
            *past_dates(trades, "maturity_date", as_of, "maturity"),
            *calendar_faults(trades, FIXING_CALENDAR),
            *payment_faults(trades),
        ]

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        return rate_needs(trades, conventions)

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        terms = _terms(trades, model)
        late = payment_days(trades, trades.days("start_date")) > trades.days("start_date")
        message = f"{LAG} is of term rates: an overnight one is not known when its period starts (market.indices)"
        return [*missing_fixings(terms.missing), *rows_fault(LAG, "kind_of_index", late & terms.overnight, message)]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        return np.full(len(trades), 0.3)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        terms = _terms(trades, model)
        discount_curve, projection = trades.labels("discount_curve"), projection_curve(trades, model.conventions)
        start, end = trades.days("start_date"), trades.days("maturity_date")
        paid = payment_days(trades, start)
        nodes, (payment, near, far) = model.discount((discount_curve, paid), (projection, start), (projection, end))
        # What is known needs no forward: its growth is one, of the node that pays.
        near, far = np.where(terms.open, near, payment), np.where(terms.open, far, payment)
        return _ForwardRateAgreements(nodes, near, far, payment, terms.amount, terms.owed, terms.ratio)


@dataclass(frozen=True)
class _ForwardRateAgreements(Prepared):
    nodes: DiscountNodes
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    payment: NDArray[np.int32]
    amount: FloatArray
    owed: FloatArray
    ratio: FloatArray

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        discount, (start, end, payment) = evaluate_used(self.nodes, rows, x, self.start, self.end, self.payment)
        out, terms = np.empty((len(rows), x.shape[1])), (self.amount, self.owed, self.ratio)
        forward_rate_agreements(rows, (discount, start), (discount, end), (discount, payment), terms, out)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows:
        value = self.price(np.arange(len(self.amount), dtype=np.int32), x)[:, 0]
        return paid_once(value, TradeNodes(self.nodes, self.payment), x, "settlement", self.owed != 0.0)


class _Terms(Struct, frozen=True):
    """The settlement is amount - owed / (1 + ratio (P(start) / P(end) - 1)).

    :param open: bool[n]: the rate is still to be projected. :param overnight: bool[n], the index is.
    """

    amount: FloatArray
    owed: FloatArray
    ratio: FloatArray
    open: NDArray[np.bool_]
    overnight: NDArray[np.bool_]
    missing: list[tuple[str, int, Integers]]


def _terms(trades: Trades, model: MarketModel) -> _Terms:
    start, end = trades.days("start_date"), trades.days("maturity_date")
    day_count = trades.labels("day_count")
    tau = year_fraction(start, end, day_count)
    fixing, ratio = np.full(len(trades), np.nan), np.ones(len(trades))
    known, alive = np.zeros(len(trades), np.bool_), payment_days(trades, start) > model.as_of
    overnight = label_mask(trades.labels("index"), lambda name: model.conventions.index(name).overnight)
    missing: list[tuple[str, int, Integers]] = []
    live = np.flatnonzero(alive)
    calendar = Labels.constant(_CALENDAR, len(trades))
    names = (trades.labels("index"), day_count, calendar)
    for group, index, count, days in index_groups(*names, live, model, fixing_calendars(trades)):
        rows = live[group]
        length = year_fraction(start[rows], end[rows], count)
        with np.errstate(divide="ignore", invalid="ignore"):  # a period without length has no rate
            ratio[rows] = np.divide(tau[rows], length, out=np.ones(len(rows)), where=tau[rows] != length)
        if not model.conventions.index(index).overnight:
            fixed = term_fixings(model, index, days, start[rows])
            due = rows[fixed.due]
            fixing[due], known[due] = fixed.rate, True
            missing += lacking(index, due, fixed.missing)
    notional = np.where(trades.is_one("direction", "pay"), 1.0, -1.0) * trades.numbers("notional")
    rate = trades.numbers("rate")
    settled = notional * tau * (fixing - rate) / (1.0 + fixing * tau)
    amount = np.where(alive, np.where(known, settled, notional), 0.0)
    owed = np.where(alive & ~known, notional * (1.0 + rate * tau), 0.0)
    return _Terms(amount, owed, ratio, alive & ~known, overnight, missing)
