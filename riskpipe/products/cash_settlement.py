"""Swaptions settled in cash, between expiry and payment: what is paid is known by the swap rate fixed at expiry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.market.calendars import adjust
from riskpipe.market.factors import date_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.schedules import Schedule
from riskpipe.market.surfaces import months_between
from riskpipe.products.base import RowFaults
from riskpipe.products.flows import Amounts, Integers, offsets_of
from riskpipe.products.leg_dates import leg_dates
from riskpipe.products.legs import NO_NODES, KnownLeg, PreparedLegs
from riskpipe.products.trades import Trades


def settlement_days(trades: Trades) -> NDArray[np.int32]:
    """int32[n]: when a swaption settled in cash pays, the business day of the swap's start."""
    return adjust(trades.days("start_date"), trades.labels("calendar"), trades.labels("business_day_convention"))


def swap_rates(trades: Trades) -> Labels:
    """The name under which the market has fixings of each trade's swap rate, such as EURIBOR6M.SWAP.5Y.

    The length is that from start to maturity to the nearest month, as that of the volatility is.
    """
    months = months_between(trades.days("start_date"), trades.days("maturity_date"))
    lengths, codes = np.unique(months.astype(np.int64), return_inverse=True)
    tenors = tuple(f"{n // 12}Y" if n and n % 12 == 0 else f"{n}M" for n in lengths.tolist())
    return trades.labels("index").combine(Labels(codes.astype(np.int32), tenors), lambda a, b: f"{a}.SWAP.{b}")


def expired_in_cash(trades: Trades, as_of: int) -> NDArray[np.bool_]:
    """bool[n]: expired before today and settled in cash, paid or not."""
    return trades.is_one("settlement", "cash") & (trades.days("expiry_date") < as_of)


def swap_rate_faults(trades: Trades, model: MarketModel) -> list[RowFaults]:
    """Trades that have expired and are still to be paid, and of whose swap rate there is no fixing."""
    name, expiry = swap_rates(trades), trades.days("expiry_date")
    due = expired_in_cash(trades, model.as_of)
    due[due] = settlement_days(trades.take(np.flatnonzero(due))) > model.as_of
    unknown = np.flatnonzero(due & np.isnan(model.fixings(name, expiry)))
    faults = []
    for code, day in sorted({*zip(name.codes[unknown].tolist(), expiry[unknown].tolist(), strict=True)}):
        rows = unknown[(name.codes[unknown] == code) & (expiry[unknown] == day)]
        message = (
            f"the market has no fixing:{name.names[code]}:{date_of(day).isoformat()}, the swap rate that decided what "
            "is paid for the option that expired then: add it as a point of the kind fixing"
        )
        faults.append(RowFaults("expiry_date", "fixing", rows, Reason.MISSING_MARKET_DATA, message))
    return faults


def settled_in_cash(trades: Trades, model: MarketModel) -> PreparedLegs:
    """What is still to be paid for those of n trades that have expired and are settled in cash; nothing for others.

    notional x par yield annuity x what the fixed swap rate is beyond the strike, paid on the settlement day; the
    annuity as `Swaption` has it. The rate is that of a swap without spread. A spread is taken off the strike at what
    it is worth by the par yield, the discount curve of the expiry date being gone.
    """
    expired = np.flatnonzero(expired_in_cash(trades, model.as_of))
    rows = expired[settlement_days(trades.take(expired)) > model.as_of]
    due = trades.take(rows)
    rate = model.fixings(swap_rates(due), due.days("expiry_date"))
    annuity, of_spread = _par_yield_annuities(due, rate, model.as_of)
    ratio = np.divide(of_spread, annuity, out=np.zeros(len(rows)), where=annuity != 0.0)
    strike = due.numbers("fixed_rate") - due.numbers("float_spread") * ratio
    beyond = np.where(due.is_one("direction", "pay"), 1.0, -1.0) * (rate - strike)
    paid = Amounts(rows, settlement_days(due), due.numbers("notional") * annuity * np.maximum(beyond, 0.0))
    nodes, (node,) = model.discount((due.labels("discount_curve"), paid.day))
    return PreparedLegs(nodes, NO_NODES, (KnownLeg(offsets_of(paid.trade, len(trades)), paid.amount, node),))


def _par_yield_annuities(trades: Trades, rate: FloatArray, as_of: int) -> tuple[FloatArray, FloatArray]:
    """Of the fixed periods, and of the floating ones by the same discount factors: float64[n] each.

    A factor is 1 / ((1 + rate tau_1) ... (1 + rate tau_i)) at the end of a fixed period i, log-linear in between.
    """
    of_fixed, of_floating = (leg_dates(trades, prefix) for prefix in ("fixed_", "float_"))
    fixed, floating = of_fixed.periods(as_of), of_floating.periods(as_of)
    tau, column = of_fixed.accrual(trades.labels("fixed_day_count")).years(fixed), _columns(fixed)
    growth = np.zeros((len(trades), 1 + int(column.max(initial=-1)) + 1))
    growth[fixed.trades, column + 1] = np.log1p(rate[fixed.trades] * tau)
    # Along each trade's own row: sums that no other trade changes.
    logarithm = np.cumsum(growth, axis=1)
    annuity = tau * np.exp(-logarithm[fixed.trades, column + 1])
    trade = floating.trades
    within = np.searchsorted(_keys(fixed.trades, fixed.end), _keys(trade, floating.end))
    within = np.minimum(within, fixed.offsets[trade + 1] - 1)  # by another convention a leg may end later
    through = (floating.end - fixed.start[within]) / (fixed.end - fixed.start)[within]
    at_end = logarithm[trade, column[within]] + through * growth[trade, column[within] + 1]
    lengths = of_floating.accrual(trades.labels("float_day_count")).years(floating)
    return _sums(fixed.trades, annuity, len(trades)), _sums(trade, lengths * np.exp(-at_end), len(trades))


def _sums(trade: Integers, terms: FloatArray, trades: int) -> FloatArray:
    return np.bincount(trade, terms, trades).astype(np.float64)


def _columns(periods: Schedule) -> Integers:
    """int64[periods]: how many periods of its trade come before each."""
    return np.arange(len(periods)) - periods.offsets[periods.trades]


def _keys(trade: Integers, day: NDArray[np.int32]) -> Integers:
    return (trade << 32) + day
