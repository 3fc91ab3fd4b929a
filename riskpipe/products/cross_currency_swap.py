"""Cross-currency swap: a leg received in one currency against a leg paid in another."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.forwards import add_converted
from riskpipe.market.calendars import adjust
from riskpipe.market.conventions import Conventions
from riskpipe.market.growths import CurveNodes, Request
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Adjustment, Schedule, schedule
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.floating import (
    FloatingFlows,
    FloatingLeg,
    fixing_faults,
    floating_flows,
    last_fixed_start,
    projection_curve,
)
from riskpipe.products.flows import Amounts, Integers, fixed_coupons, merged, offsets_of
from riskpipe.products.legs import NO_NODES, KnownLeg, Leg, ProjectedLeg, leg_values
from riskpipe.products.schedule_columns import (
    by_coupon_phase,
    calendar_column,
    convention_column,
    day_count_column,
    frequency_column,
    remaining_periods,
    schedule_faults,
)
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies

_SIDES = ("receive", "pay")


def _leg_columns(side: str, verb: str) -> tuple[Column, ...]:
    return (
        Column(f"{side}_currency", "string", f"of the leg that is {verb}"),
        Column(f"{side}_notional", "number", f"of the leg that is {verb}", rule="positive"),
        Column(f"{side}_index", "string", "floating index; null: the leg is fixed", required=False),
        Column(f"{side}_fixed_rate", "number", "decimal a year; for a fixed leg", required=False),
        Column(f"{side}_spread", "number", "decimal a year, added to the floating rate; null: 0", required=False),
        Column(f"{side}_discount_curve", "string", "zero_rate curve that discounts the leg"),
        frequency_column(f"{side}_frequency", "of coupons; 1T pays once at maturity"),
        day_count_column(f"{side}_day_count", "of coupons"),
    )


class CrossCurrencySwap(Product):
    """Value in the pay currency: fx x (leg received) - (leg paid), fx units of the pay currency per one received.

    The present value is in the pay currency, as that of an FX forward is in the currency sold. Each leg is discounted
    on its own curve (for collateral in another currency, a curve that carries the basis) and converted at today's
    rate. Legs are those of swaps: coupons over adjusted periods, paid at their ends. With `exchange_notionals` each
    side's notional is exchanged at the start and, back, at maturity, both on adjusted dates. One currency on both
    sides makes a basis swap.
    """

    name = "cross_currency_swap"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        *_leg_columns("receive", "received"),
        *_leg_columns("pay", "paid; the present value of the trade is in the pay currency"),
        Column("start_date", "date", "of the first period, before adjustment"),
        Column("maturity_date", "date", "end of the last period, before adjustment"),
        calendar_column(),
        convention_column(),
        Column("exchange_notionals", "boolean", "notionals are exchanged at the start and at maturity"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        faults = [
            *unknown_currencies(trades, "receive_currency", "pay_currency"),
            *schedule_faults(trades, "start_date", as_of),
        ]
        for side in _SIDES:
            rateless = (trades.labels(f"{side}_index").codes < 0) & np.isnan(trades.numbers(f"{side}_fixed_rate"))
            message = f"{side}_index and {side}_fixed_rate are both null"
            faults += rows_fault(f"{side}_fixed_rate", "index_or_rate", rateless, message)
        return faults

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("pay_currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        pair = trades.labels("receive_currency").combine(trades.labels("pay_currency"), str.__add__)
        needs = [Need("underlying", ("fx",), pair)]
        for side in _SIDES:
            currency, curve = trades.labels(f"{side}_currency"), trades.labels(f"{side}_discount_curve")
            needs.append(Need("discount", ("zero_rate",), curve, currency=currency))
            needs.append(
                Need(
                    "projection",
                    ("zero_rate",),
                    projection_curve(trades, conventions, f"{side}_index"),
                    currency=currency,
                )
            )
        return tuple(needs)

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        faults = []
        for side in _SIDES:
            before = last_fixed_start(trades.labels(f"{side}_index"), model)
            rows, flows = _floating(trades, side, model, before)
            found = fixing_faults(flows, f"{side}_index")
            faults += [replace(fault, rows=rows[fault.rows]) for fault in found]
        return faults

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        total = np.full(len(trades), 0.5)
        for side in _SIDES:
            each = np.where(trades.labels(f"{side}_index").codes < 0, 0.03, 0.1)
            total += each * remaining_periods(trades, "start_date", f"{side}_frequency", as_of)
        return total

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades, "receive_discount_curve")

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        received = _Side(trades, "receive", model)
        paid = _Side(trades, "pay", model)
        nodes, positions = model.projected(*received.requests(), *paid.requests())
        rate = TradeNodes(*model.fx(trades.labels("receive_currency"), trades.labels("pay_currency")))
        return _CrossCurrencySwaps(nodes, received.legs(positions[:3]), paid.legs(positions[3:]), rate)


@dataclass(frozen=True)
class _CrossCurrencySwaps(Prepared):
    nodes: CurveNodes
    received: tuple[Leg, ...]
    paid: tuple[Leg, ...]
    rate: TradeNodes

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        received, value = leg_values(self.nodes, NO_NODES, (self.received, self.paid), rows, x)
        add_converted(rows, self.rate.under(rows, x), received, value)
        return value


class _Side:
    """One leg of every trade: flows in its own currency, above zero when received."""

    def __init__(self, trades: Trades, side: str, model: MarketModel) -> None:
        self._trades = len(trades)
        self._curve = trades.labels(f"{side}_discount_curve")
        self._projection = projection_curve(trades, model.conventions, f"{side}_index")
        rows, floating = _floating(trades, side, model)
        growth = floating.growth.of(rows)
        started, self._growth = growth.telescoped(self._projection, self._curve)
        fixed, exchanged = _fixed(trades, side, model), _exchanges(trades, side, model)
        self._known = merged([fixed, floating.known.of(rows), started, exchanged])

    def requests(self) -> tuple[Request, ...]:
        known = self._known
        return (self._curve.take(known.trade), known.day), *self._growth.requests(self._projection, self._curve)

    def legs(self, positions: list[NDArray[np.int32]]) -> tuple[Leg, ...]:
        known, growth, n = self._known, self._growth, self._trades
        return (
            KnownLeg(offsets_of(known.trade, n), known.amount, positions[0]),
            ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[1:]),
        )


def _notional(trades: Trades, side: str) -> FloatArray:
    return trades.numbers(f"{side}_notional") * (1.0 if side == "receive" else -1.0)


def _schedule(trades: Trades, side: str, rows: Integers, after: int, before: int | None = None) -> Schedule:
    calendar, convention = trades.labels("calendar"), trades.labels("business_day_convention")
    return schedule(
        trades.days("start_date")[rows],
        trades.days("maturity_date")[rows],
        trades.labels(f"{side}_frequency").take(rows),
        Adjustment(calendar.take(rows), convention.take(rows)),
        after=after,
        before=before,
    )


def _floating(
    trades: Trades, side: str, model: MarketModel, before: int | None = None
) -> tuple[Integers, FloatingFlows]:
    """The trades whose leg floats, and its flows by position among these."""
    index = trades.labels(f"{side}_index")
    rows = np.flatnonzero(index.codes >= 0)
    leg = FloatingLeg(
        _schedule(trades, side, rows, model.as_of, before),
        index.take(rows),
        trades.labels(f"{side}_day_count").take(rows),
        trades.labels("calendar").take(rows),
        _notional(trades, side)[rows],
        trades.numbers(f"{side}_spread", 0.0)[rows],
    )
    return rows, floating_flows(leg, model)


def _fixed(trades: Trades, side: str, model: MarketModel) -> Amounts:
    rows = np.flatnonzero(trades.labels(f"{side}_index").codes < 0)
    interest = (_notional(trades, side) * trades.numbers(f"{side}_fixed_rate"))[rows]
    periods = _schedule(trades, side, rows, model.as_of)
    return fixed_coupons(periods, trades.labels(f"{side}_day_count").take(rows), interest).of(rows)


def _exchanges(trades: Trades, side: str, model: MarketModel) -> Amounts:
    """The notional, paid by who receives the leg at the start and back at maturity."""
    rows = np.flatnonzero(trades.flags("exchange_notionals"))
    calendar, convention = trades.labels("calendar").take(rows), trades.labels("business_day_convention").take(rows)
    notional = _notional(trades, side)[rows]
    days = [adjust(trades.days(f"{name}_date")[rows], calendar, convention) for name in ("start", "maturity")]
    flows = Amounts(np.tile(rows, 2), np.concatenate(days), np.concatenate((-notional, notional)))
    return flows.where(flows.day > model.as_of)
