"""Equity swaps and total return swaps: the return of a share, a fund or an index against a funding leg."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product, RowFaults
from riskpipe.products.equity_funding import FUNDING, FundingFlows, funding_legs
from riskpipe.products.equity_returns import Shares, Spans, return_leg
from riskpipe.products.floating import Lacking, fixing_faults, missing_fixings, projection_curve
from riskpipe.products.flows import Amounts, merged, offsets_of
from riskpipe.products.leg_columns import discount_curve, leg_faults, legs_over
from riskpipe.products.leg_dates import date_columns, fixing_calendar_column
from riskpipe.products.legs import NO_NODES, KnownLeg, Leg, PreparedLegs, ProjectedLeg
from riskpipe.products.observations import observation_columns, observation_faults
from riskpipe.products.payouts import has_spot
from riskpipe.products.price_resets import Valuations
from riskpipe.products.schedule_columns import (
    by_coupon_phase,
    calendar_column,
    convention_column,
    coupon_day_count_column,
    frequency_column,
    remaining_periods,
    schedule_faults,
)
from riskpipe.products.steps import Stepped
from riskpipe.products.trades import Trades
from riskpipe.products.validation import rows_fault, unknown_currencies
from riskpipe.products.vanilla import carry_needs

_SPREADS = Stepped("funding_spread", "funding_spreads", "funding_spread_dates")
_HINT = "; a price that was agreed is initial_price"


class EquitySwap(Product):
    """Returns of an underlying against funding: of a quantity that is held, or of a notional in each period anew.

    Of a period from t0 to t1 that is paid at T the return leg pays quantity x (S(t1) - S(t0) + dividends), or notional
    x ((S(t1) + dividends) / S(t0) - 1), and is worth that with forward prices F for S, times D(T). Prices before today
    are fixings, today's is one if there is one. Dividends, of a total return alone, are dividend_factor times what goes
    ex after t0 and until t1: discrete ones at their forwards, without interest until T; of a dividend yield F(t1) x
    (exp(q (t1 - t0)) - 1), as if reinvested. Funding of a period is paid on quantity x S at the start of the return's
    period in which it begins, or on notional. Prices in another currency are converted at the exchange rate of their
    day, in forwards at the forward rate, dividends with S(t1).
    """

    name = "equity_swap"
    version = 2
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot or forwards"),
        Column("currency", "string", "of notional and payments"),
        Column("underlying_currency", "string", "of the underlying; null: currency", required=False),
        Column("direction", "string", "of the return", choices=("pay", "receive")),
        Column("quantity", "number", "shares or units that are held throughout; null: notional says", required=False),
        Column(
            "notional",
            "number",
            "that each period begins with anew, in currency; null: quantity says",
            required=False,
        ),
        Column("return_type", "string", "of the price alone, or with dividends", choices=("price", "total")),
        Column(
            "initial_price",
            "number",
            "of a share at start_date, in currency; null: the fixing, or the forward price",
            required=False,
            rule="positive",
        ),
        Column(
            "dividend_factor",
            "number",
            "part of the dividends that a total return passes on; null: 1",
            required=False,
            rule="nonnegative",
        ),
        Column(
            "dividends",
            "number",
            "a share, in the underlying's currency, that have gone ex until today in unpaid periods",
            required=False,
            rule="nonnegative",
            many=True,
        ),
        Column("dividend_dates", "date", "their ex dates", required=False, many=True),
        Column("discount_curve", "string", "zero_rate curve that discounts; null: that of currency", required=False),
        Column("start_date", "date", "of the first period, before adjustment"),
        Column("maturity_date", "date", "end of the last period, before adjustment"),
        frequency_column("frequency", "of the periods of returns; 1T is one"),
        calendar_column(),
        convention_column(),
        *date_columns(),
        Column("funding_index", "string", "floating index; null: funding_fixed_rate is paid", required=False),
        Column("funding_fixed_rate", "number", "decimal a year; without an index", required=False),
        Column("funding_spread", "number", "decimal a year, added to the floating rate; null: 0", required=False),
        *_SPREADS.columns(quantity="spread"),
        *observation_columns("funding_"),
        replace(frequency_column("funding_frequency", "of funding; null: frequency"), required=False),
        coupon_day_count_column("funding_day_count", "of funding"),
        *date_columns("funding_"),
        fixing_calendar_column("funding_"),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        funding = funding_legs(trades)
        over = legs_over(funding, as_of)
        faults = [*unknown_currencies(trades, "currency", "underlying_currency"), *_size_faults(trades)]
        for fault in schedule_faults(trades, "start_date", as_of, prefixes=("",)):
            rows = fault.rows[over[fault.rows]] if fault.rule == "not_past" else fault.rows
            faults += [replace(fault, rows=rows)] if len(rows) else []
        return [*faults, *_dividend_faults(trades, as_of), *self._told(leg_faults(funding, as_of), faults)]

    def _told(self, faults: list[RowFaults], known: list[RowFaults]) -> Iterator[RowFaults]:
        """Faults of the funding leg, less those that are told of the trade's own columns already."""
        names = {column.name for column in self.columns}
        for fault in faults:
            told = [other.rows for other in known if other.column == fault.column]
            rows = np.setdiff1d(fault.rows, np.concatenate(told)) if told else fault.rows
            name = f"{FUNDING}_{fault.column}"
            if len(rows):
                message = fault.message.replace("a fixed leg", "funding without an index")
                yield replace(fault, column=name if name in names else fault.column, rows=rows, message=message)

    def requirements(self, trades: Trades, conventions: Conventions) -> tuple[Need, ...]:
        underlying, shares = trades.labels("underlying"), _shares(trades)
        index = projection_curve(trades, conventions, "funding_index")
        crossing = shares.pair
        own = shares.currency.where(crossing.codes >= 0)
        return (
            Need("underlying", ("forward_price", "spot"), underlying, currency=shares.currency),
            Need("discount", ("zero_rate",), discount_curve(trades, conventions)),
            Need("projection", ("zero_rate",), index),
            *(replace(need, currency=shares.currency) for need in carry_needs(underlying)),
            Need("carry", ("zero_rate",), shares.currency.map(conventions.discount_curve), currency=shares.currency),
            Need("conversion", ("fx",), crossing),
            Need("conversion", ("zero_rate",), own.map(conventions.discount_curve), currency=own),
            Need(
                "conversion",
                ("zero_rate",),
                trades.labels("currency").where(crossing.codes >= 0).map(conventions.discount_curve),
            ),
        )

    def missing_points(self, trades: Trades, model: MarketModel) -> list[RowFaults]:
        funding, valuations = funding_legs(trades), Valuations(trades, _shares(trades), model)
        flows = FundingFlows(trades, funding, valuations, model)
        unpaid = valuations.unpaid()
        missing = [*valuations.starts(unpaid)[1], *valuations.ends(unpaid)[1], *flows.missing]
        index = trades.labels("funding_index")
        terms = observation_faults(trades, index, model.conventions, "funding_")
        return [
            *missing_fixings(_once(missing), "underlying", hint=_HINT),
            *terms,
            *fixing_faults(flows.coupons, "funding_index"),
            *_unknown_dividends(trades, model),
        ]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        frequency = "funding_frequency" if trades.has("funding_frequency") else "frequency"
        funding = remaining_periods(trades, "start_date", frequency, as_of)
        return 0.5 + 0.2 * remaining_periods(trades, "start_date", "frequency", as_of) + 0.1 * funding

    def pricing_order(self, trades: Trades) -> NDArray[np.int32]:
        return by_coupon_phase(trades, "underlying")

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        funding, shares = funding_legs(trades), _shares(trades)
        valuations = Valuations(trades, shares, model)
        flows, returned = FundingFlows(trades, funding, valuations, model), _returns(trades, valuations, model)
        curve, projection = discount_curve(trades, model.conventions), projection_curve(funding, model.conventions)
        started, growth = flows.growth.telescoped(projection, curve, model)
        known, n = merged([returned.known, flows.known, started]), len(trades)
        nodes, positions = model.projected(
            (curve.take(known.trade), known.day),
            *growth.requests(projection, curve),
            (curve.take(flows.open_known.trade), flows.open_known.day),
            *flows.open_growth.requests(projection, curve),
            (curve.take(returned.open.trade), returned.open.day),
        )
        legs: tuple[Leg, ...] = (
            KnownLeg(offsets_of(known.trade, n), known.amount, positions[0]),
            ProjectedLeg(offsets_of(growth.trade, n), growth.coefficient, *positions[1:3]),
            *flows.reset_legs(shares, model, positions[3:6]),
        )
        if len(returned.open):
            offsets = offsets_of(returned.open.trade, n)
            legs += (return_leg(offsets, returned.open.amount, positions[6], returned.spans, model),)
        return PreparedLegs(nodes, NO_NODES, legs)


class _Returns(Struct, frozen=True):
    """:param known: returns between prices that are both fixed.

    :param open: amounts that the others, over `spans`, multiply.
    """

    known: Amounts
    open: Amounts
    spans: Spans


def _returns(trades: Trades, valuations: Valuations, model: MarketModel) -> _Returns:
    unpaid = valuations.unpaid()
    periods, trade = valuations.periods, valuations.trades[unpaid]
    first, last_day, payment = (days[unpaid] for days in (periods.start, periods.end, periods.payment))
    start, end = valuations.starts(unpaid)[0], valuations.ends(unpaid)[0]
    notional = trades.numbers("notional")[trade]
    relative = ~np.isnan(notional)
    sign = np.where(trades.is_one("direction", "receive"), 1.0, -1.0)[trade]
    size = sign * np.where(relative, notional, trades.numbers("quantity")[trade])
    total = trades.is_one("return_type", "total")[trade]
    part = np.where(total, trades.numbers("dividend_factor", 1.0)[trade], 0.0)
    received = valuations.received(unpaid)
    last = (end.price + part * received) * end.rate
    known = ~np.isnan(last) & ~np.isnan(start)
    fixed = size * np.where(relative, last / start - 1.0, last - start)
    open_ = ~known
    spans = Spans(
        valuations.shares(unpaid[open_]),
        first[open_],
        last_day[open_],
        start[open_],
        received[open_],
        part[open_],
        relative[open_],
    )
    return _Returns(Amounts(trade, payment, fixed).where(known), Amounts(trade, payment, size).where(open_), spans)


def _shares(trades: Trades) -> Shares:
    currency = trades.labels("currency")
    return Shares(trades.labels("underlying"), trades.labels("underlying_currency").otherwise(currency), currency)


def _size_faults(trades: Trades) -> list[RowFaults]:
    quantity, notional = ~np.isnan(trades.numbers("quantity")), ~np.isnan(trades.numbers("notional"))
    both, neither = quantity & notional, ~quantity & ~notional
    return [
        *rows_fault("notional", "one_size", both, "quantity and notional are both given: one of them says the size"),
        *rows_fault("notional", "one_size", neither, "quantity and notional are both null: one of them says the size"),
    ]


def _dividend_faults(trades: Trades, as_of: int) -> list[RowFaults]:
    amounts, dates = trades.nested("dividends"), trades.nested("dividend_dates")
    uneven = np.diff(amounts.offsets) != np.diff(dates.offsets)
    later = np.zeros(len(trades), np.bool_)
    later[dates.trades[dates.rows.days("dividend_dates") > as_of]] = True
    without = trades.is_one("return_type", "price")
    some = np.diff(amounts.offsets) > 0
    factor = ~np.isnan(trades.numbers("dividend_factor"))
    message = "dividend_dates are past: what is still to go ex is of the market (dividend:<name>:<date>)"
    return [
        *rows_fault("dividends", "one_each", uneven, "dividends and dividend_dates are not as many"),
        *rows_fault("dividend_dates", "past", later, message),
        *rows_fault("dividends", "return_type", some & without, "dividends are of a return_type total"),
        *rows_fault("dividend_factor", "return_type", factor & without, "dividend_factor is of a return_type total"),
    ]


def _unknown_dividends(trades: Trades, model: MarketModel) -> list[RowFaults]:
    """Total returns of what has forward prices, in a warning for each."""
    underlying, total = trades.labels("underlying"), trades.is_one("return_type", "total")
    faults = []
    for code, name in enumerate(underlying.names):
        rows = np.flatnonzero(total & (underlying.codes == code))
        if len(rows) and not has_spot(model, name):
            message = (
                f"forward_price:{name} tells no dividends: those to come are not in the total return; with "
                f"spot:{name} and its dividends they would be"
            )
            reason = Reason.MISSING_MARKET_DATA
            faults.append(RowFaults("underlying", "dividends", rows, reason, message, Level.WARNING))
    return faults


def _once(missing: Iterable[Lacking]) -> list[Lacking]:
    """An entry for each name and day."""
    found: dict[tuple[str, int], list[NDArray[np.int64]]] = {}
    for name, day, trades in missing:
        found.setdefault((name, day), []).append(trades)
    return [(name, day, np.unique(np.concatenate(rows))) for (name, day), rows in found.items()]
