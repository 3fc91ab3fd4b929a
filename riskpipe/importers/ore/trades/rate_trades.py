"""Swaps and forward rate agreements."""

from __future__ import annotations

from datetime import date

import numpy as np

from riskpipe.importers.ore import codes
from riskpipe.importers.ore.indices import index_of
from riskpipe.importers.ore.leg_data import convert_leg, is_naked
from riskpipe.importers.ore.quoted_dates import a_day, fractions, maturity, number, value_date
from riskpipe.importers.ore.trades.option_trades import coupon_options
from riskpipe.importers.ore.trades.trade import Trade, position, refuse
from riskpipe.market.bootstrap.quantlib import to_date
from riskpipe.market.factors import days_of


def swap(trade: Trade) -> None:
    """SwapData: legs of any kind; the present value is in the currency of the first."""
    data, ore = list(trade.data.all("LegData")), trade.ore
    legs = [leg for one in data if not is_naked(one) for leg in convert_leg(one, ore, trade.turned)]
    for one in data:
        coupon_options(trade, one)
    refuse(bool(legs), "swaps of options on coupons alone are not taken")
    currency = str(legs[0]["currency"])
    for leg in legs:
        trade.ore.spot(str(leg["currency"]), currency)
    trade.add("swap", currency=currency, legs=legs)


def forward_rate_agreement(trade: Trade) -> None:
    """ForwardRateAgreementData; ORE fixes the index over its own period, whatever the end of the trade's."""
    data, ore = trade.data, trade.ore
    currency, index = data.need("Currency"), index_of(data.need("Index"))
    start, end = (codes.a_date(data.need(tag)) for tag in ("StartDate", "EndDate"))
    notional = codes.number(data.need("Notional"))
    begins = value_date(to_date(days_of(start)), index)
    own = (a_day(number(begins)), a_day(number(maturity(begins, index))))
    if own != (start, end):
        lengths = [_length(*period, index.day_count) for period in ((start, end), own)]
        factor = lengths[0] / lengths[1]
        trade.turned.append(f"it is over the index's period, {own[0]} to {own[1]}, its notional times {factor:.6f}")
        notional, (start, end) = notional * factor, own
    trade.add(
        "fra",
        currency=currency,
        index=ore.index(index.name),
        discount_curve=ore.discount_curve(currency),
        notional=notional,
        direction="pay" if position(data.need("LongShort")) > 0 else "receive",
        rate=codes.number(data.need("Strike")),
        start_date=start,
        maturity_date=end,
        day_count=index.day_count,
    )


def _length(start: date, end: date, day_count: str) -> float:
    return float(fractions(np.array([days_of(start)]), np.array([days_of(end)]), day_count)[0])
