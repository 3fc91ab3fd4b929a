"""Cross-currency swap: a leg received in one currency against a leg paid in another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.forwards import add_converted
from riskpipe.market.conventions import Conventions
from riskpipe.market.growths import CurveNodes, Request
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.cash_flows import CashFlows, joined
from riskpipe.products.flat_legs import SIDES, side_legs
from riskpipe.products.floating import (
    FloatingFlows,
    FloatingLeg,
    fixing_faults,
    floating_flows,
    last_fixed_start,
    projection_curve,
)
from riskpipe.products.flows import Amounts, Integers, fixed_coupons, merged, offsets_of
from riskpipe.products.leg_columns import EXCHANGES
from riskpipe.products.leg_dates import date_columns, fixing_calendar_column, fixing_calendars, leg_dates
from riskpipe.products.legs import NO_NODES, KnownLeg, Leg, ProjectedLeg, leg_cash_flows, leg_values
from riskpipe.products.observations import observation_columns, observation_faults, observations
from riskpipe.products.resets import ResetFlows, reset_faults, reset_flows
from riskpipe.products.schedule_columns import (
    by_coupon_phase,
    calendar_column,
    convention_column,
    coupon_day_count_column,
    day_count_faults,
    frequency_column,
    remaining_periods,
    schedule_faults,
)
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies

_OTHER = {"receive": "pay", "pay": "receive"}
RESET_SIDE = "reset_side"


def _leg_columns(side: str, verb: str) -> tuple[Column, ...]:
    return (
        Column(f"{side}_currency", "string", f"of the leg that is {verb}"),
        Column(f"{side}_notional", "number", f"of the leg that is {verb}", rule="positive"),
        Column(f"{side}_index", "string", "floating index; null: the leg is fixed", required=False),
        Column(f"{side}_fixed_rate", "number", "decimal a year; for a fixed leg", required=False),
        Column(f"{side}_spread", "number", "decimal a year, added to the floating rate; null: 0", required=False),
        Column(f"{side}_discount_curve", "string", "zero_rate curve that discounts the leg"),
        frequency_column(f"{side}_frequency", "of coupons; 1T pays once at maturity"),
        coupon_day_count_column(f"{side}_day_count", "of coupons"),
    )


class CrossCurrencySwap(Product):
    """Value in the pay currency: fx x (leg received) - (leg paid), fx units of the pay currency per one received.

    The present value is in the pay currency, as that of an FX forward is in the currency sold. Each leg is discounted
    on its own curve (for collateral in another currency, a curve that carries the basis) and converted at today's
    rate. Legs are those of swaps: coupons over adjusted periods, paid at their ends, unless the columns of
    [dates](#dates-of-legs) say otherwise. With `exchange_notionals` each side's notional is exchanged at the start and,
    back, at maturity, both without the lag of coupons. One currency on both sides makes a basis swap.
    """

    name = "cross_currency_swap"
    version = 3
    columns = (
        *COMMON_COLUMNS,
        *_leg_columns("receive", "received"),
        *_leg_columns("pay", "paid; the present value of the trade is in the pay currency"),
        Column("start_date", "date", "of the first period, before adjustment"),
        Column("maturity_date", "date", "end of the last period, before adjustment"),
        calendar_column(),
        convention_column(),
        Column("exchange_notionals", "boolean", "notionals are exchanged at the start and at maturity"),
        *(column for side in SIDES for column in date_columns(f"{side}_")),
        *(fixing_calendar_column(f"{side}_") for side in SIDES),
        *(column for side in SIDES for column in observation_columns(f"{side}_")),
        Column(
            RESET_SIDE,
            "string",
            "whose notional is that of the other side at the exchange rate of each period's start, but for the first "
            "period; null: neither",
            required=False,
            choices=SIDES,
        ),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        faults = [
            *unknown_currencies(trades, "receive_currency", "pay_currency"),
            *schedule_faults(trades, "start_date", as_of, prefixes=("receive_", "pay_")),
        ]
        for side in SIDES:
            rateless = (trades.labels(f"{side}_index").codes < 0) & np.isnan(trades.numbers(f"{side}_fixed_rate"))
            message = f"{side}_index and {side}_fixed_rate are both null"
            faults += rows_fault(f"{side}_fixed_rate", "index_or_rate", rateless, message)
            faults += day_count_faults(trades, f"{side}_day_count", trades.labels(f"{side}_index").codes >= 0)
        one = trades.labels("receive_currency").same_as(trades.labels("pay_currency"))
        message = f"{RESET_SIDE} is of two currencies, and both sides are of one"
        return [*faults, *rows_fault(RESET_SIDE, "two_currencies", (_resetting(trades) & one), message)]

    def currency(self, trades: Trades) -> Labels:
        return trades.labels("pay_currency")

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        pair = trades.labels("receive_currency").combine(trades.labels("pay_currency"), str.__add__)
        needs = [Need("underlying", ("fx",), pair)]
        for side in SIDES:
            currency, curve = trades.labels(f"{side}_currency"), trades.labels(f"{side}_discount_curve")
            projection = projection_curve(trades, conventions, f"{side}_index")
            needs.append(Need("discount", ("zero_rate",), curve, currency=currency))
            needs.append(Need("projection", ("zero_rate",), projection, currency=currency))
            if _resetting(trades).any():  # at forward exchange rates
                own = currency.map(conventions.discount_curve).where(_resetting(trades))
                needs.append(Need("discount", ("zero_rate",), own, currency=currency))
        return tuple(needs)

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        faults = []
        for side in SIDES:
            before = last_fixed_start(trades.labels(f"{side}_index"), model)
            index = trades.labels(f"{side}_index")
            rows = np.flatnonzero(index.codes >= 0)
            found = fixing_faults(_floating(trades, rows, side, model, before), f"{side}_index")
            faults += [replace(fault, rows=rows[fault.rows]) for fault in found]
            faults += observation_faults(trades, index, model.conventions, f"{side}_")
            resets = reset_faults(_resets(trades, side, model, before))
            faults += [replace(fault, column=RESET_SIDE) for fault in resets]
        return faults

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        total = np.full(len(trades), 0.5)
        for side in SIDES:
            each = np.where(trades.labels(f"{side}_index").codes < 0, 0.03, 0.1)
            total += each * remaining_periods(trades, "start_date", f"{side}_frequency", as_of)
        return total

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades, "receive_discount_curve")

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        received = _Side(trades, "receive", model)
        paid = _Side(trades, "pay", model)
        requests = received.requests()
        nodes, positions = model.projected(*requests, *paid.requests())
        rate = TradeNodes(*model.fx(trades.labels("receive_currency"), trades.labels("pay_currency")))
        first, currency = len(requests), trades.labels("receive_currency")
        legs = received.legs(positions[:first]), paid.legs(positions[first:])
        return _CrossCurrencySwaps(nodes, *legs, rate, currency)


@dataclass(frozen=True)
class _CrossCurrencySwaps(Prepared):
    nodes: CurveNodes
    received: tuple[Leg, ...]
    paid: tuple[Leg, ...]
    rate: TradeNodes
    currency: Labels

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        received, value = leg_values(self.nodes, NO_NODES, (self.received, self.paid), rows, x)
        add_converted(rows, self.rate.under(rows, x), received, value)
        return value

    def cash_flows(self, x: FloatArray) -> CashFlows:
        rate = self.rate.nodes.evaluate(x)[self.rate.position, 0]
        received, paid = (
            leg_cash_flows(self.nodes, NO_NODES, legs, x, [side] * len(legs))
            for side, legs in zip(SIDES, (self.received, self.paid), strict=True)
        )
        return joined([received.converted(self.currency, rate), paid])


class _Side:
    """One leg of every trade: flows in its own currency, above zero when received."""

    def __init__(self, trades: Trades, side: str, model: MarketModel) -> None:
        self._trades = len(trades)
        self._model = model
        self._curve = trades.labels(f"{side}_discount_curve")
        self._projection = projection_curve(trades, model.conventions, f"{side}_index")
        self._pair = trades.labels(f"{_OTHER[side]}_currency"), trades.labels(f"{side}_currency")
        rows = np.flatnonzero((trades.labels(f"{side}_index").codes >= 0) & ~trades.is_one(RESET_SIDE, side))
        floating = _floating(trades, rows, side, model)
        growth = floating.growth.of(rows)
        started, self._growth = growth.telescoped(self._projection, self._curve, model)
        fixed, exchanged = _fixed(trades, side, model), _exchanges(trades, side, model)
        parts = [fixed, floating.known.of(rows), started, exchanged]
        self._resets = _resets(trades, side, model) if trades.is_one(RESET_SIDE, side).any() else None
        if self._resets is not None:
            parts.append(self._resets.known)
        self._known = merged(parts)

    def requests(self) -> tuple[Request, ...]:
        """Three, or eight where notionals reset."""
        known, curves = self._known, (self._projection, self._curve)
        requests = ((self._curve.take(known.trade), known.day), *self._growth.requests(*curves))
        if self._resets is None:
            return requests
        return (*requests, *self._resets.growth.requests(*curves), *self._resets.requests(*curves))

    def legs(self, positions: list[NDArray[np.int32]]) -> tuple[Leg, ...]:
        """:param positions: of `requests`."""
        known, growth, n = self._known, self._growth, self._trades
        legs: tuple[Leg, ...] = (
            KnownLeg(offsets_of(known.trade, n), known.amount, positions[0]),
            ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[1:3]),
        )
        if self._resets is None:
            return legs
        fixed = self._resets.growth
        projected = ProjectedLeg(offsets_of(fixed.trade, n), fixed.coefficient, *positions[3:5])
        return (*legs, projected, self._resets.leg(self._pair, self._model, positions[5:]))


def _resets(trades: Trades, side: str, model: MarketModel, before: int | None = None) -> ResetFlows:
    """Of the trades whose notional on this side follows the exchange rate."""
    rows = np.flatnonzero(trades.is_one(RESET_SIDE, side))
    some, other = trades.take(rows), _OTHER[side]
    floats = some.labels(f"{side}_index").codes >= 0
    exchanged = some.table.column("exchange_notionals")
    given = {
        "leg_type": pa.array(np.where(floats, "floating", "fixed")),
        "reset_currency": some.table.column(f"{other}_currency"),
        "reset_notional": some.table.column(f"{other}_notional"),
        **dict.fromkeys(EXCHANGES, exchanged),
    }
    return reset_flows(side_legs(some, side, given), model, before).of(rows)


def _notional(trades: Trades, side: str) -> FloatArray:
    return trades.numbers(f"{side}_notional") * (1.0 if side == "receive" else -1.0)


def _resetting(trades: Trades) -> NDArray[np.bool_]:
    return np.asarray(trades.labels(RESET_SIDE).codes >= 0)


def _floating(
    trades: Trades, rows: Integers, side: str, model: MarketModel, before: int | None = None
) -> FloatingFlows:
    """The flows of some trades whose leg floats, by position among these."""
    index = trades.labels(f"{side}_index")
    periods = leg_dates(trades, f"{side}_").take(rows).periods(model.as_of, before)
    trade, own = rows[periods.trades], fixing_calendars(trades, f"{side}_")
    seen = observations(trades, f"{side}_")
    leg = FloatingLeg(
        periods,
        index.take(rows),
        trades.labels(f"{side}_day_count").take(rows),
        trades.labels("calendar").take(rows),
        _notional(trades, side)[trade],
        trades.numbers(f"{side}_spread", 0.0)[trade],
        observed=None if seen is None else seen.take(rows),
        fixing_calendar=None if own is None else own.take(rows),
    )
    return floating_flows(leg, model)


def _fixed(trades: Trades, side: str, model: MarketModel) -> Amounts:
    rows = np.flatnonzero((trades.labels(f"{side}_index").codes < 0) & ~trades.is_one(RESET_SIDE, side))
    dates = leg_dates(trades, f"{side}_").take(rows)
    periods = dates.periods(model.as_of)
    interest = (_notional(trades, side) * trades.numbers(f"{side}_fixed_rate"))[rows[periods.trades]]
    accrual = dates.accrual(trades.labels(f"{side}_day_count").take(rows))
    return fixed_coupons(periods, accrual, interest).of(rows)


def _exchanges(trades: Trades, side: str, model: MarketModel) -> Amounts:
    """The notional, paid by who receives the leg at the start and back at maturity."""
    rows = np.flatnonzero(trades.flags("exchange_notionals") & ~trades.is_one(RESET_SIDE, side))
    dates, notional = leg_dates(trades, f"{side}_").take(rows), _notional(trades, side)[rows]
    days = [dates.exchanges(of) for of in (dates.starts(), dates.ends())]
    flows = Amounts(np.tile(rows, 2), np.concatenate(days), np.concatenate((-notional, notional)))
    return flows.where(flows.day > model.as_of)
