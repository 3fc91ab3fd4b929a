"""Options between expiry and payment: what came of them is known. Those on exchange rates are an exchange of currencies
or nothing; for those on swaps see `riskpipe.products.cash_settlement`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.market.factors import date_of
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Prepared, RowFaults
from riskpipe.products.cash_flows import CashFlows, joined
from riskpipe.products.exchange import prepare_exchanges
from riskpipe.products.pairs import first_currency, second_currency
from riskpipe.products.trades import Trades


@dataclass(frozen=True)
class WithExpired(Prepared):
    """Options of which some have expired.

    :param options: all n, priced as if none had; `settled` what became of those.
    :param expired: bool[n].
    """

    options: Prepared
    settled: Prepared
    expired: NDArray[np.bool_]

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        over = self.expired[rows]
        if not over.any():
            return self.options.price(rows, x)
        out = np.empty((len(rows), x.shape[1]))
        out[over] = self.settled.price(np.ascontiguousarray(rows[over]), x)
        if not over.all():
            out[~over] = self.options.price(np.ascontiguousarray(rows[~over]), x)
        return out

    def cash_flows(self, x: FloatArray) -> CashFlows | None:
        found = ((self.options.cash_flows(x), ~self.expired), (self.settled.cash_flows(x), self.expired))
        parts = [flows.of_trades(mine) for flows, mine in found if flows is not None]
        return joined(parts) if parts else None

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        living = iter(self.options.why_not(np.ascontiguousarray(rows[~self.expired[rows]]), x))
        return ["" if over else next(living) for over in self.expired[rows].tolist()]


def expired_faults(trades: Trades, model: MarketModel, exercisable: NDArray[np.bool_] | None = None) -> list[RowFaults]:
    """Options that have expired and are still to be delivered, of which no fixing tells whether they were exercised.

    :param exercisable: bool[n], False: they were not in any case; None: all may have been.
    """
    pair, expiry = trades.labels("pair"), trades.days("expiry_date")
    waiting = (expiry < model.as_of) & (trades.days("delivery_date") > model.as_of)
    waiting &= True if exercisable is None else exercisable
    unknown = np.flatnonzero(waiting & np.isnan(model.fixings(pair, expiry)))
    faults = []
    for code, day in sorted({*zip(pair.codes[unknown].tolist(), expiry[unknown].tolist(), strict=True)}):
        rows = unknown[(pair.codes[unknown] == code) & (expiry[unknown] == day)]
        message = (
            f"the market has no fixing:{pair.names[code]}:{date_of(day).isoformat()}, the rate that decided whether "
            "the option that expired then is exercised and still to be delivered"
        )
        faults.append(RowFaults("expiry_date", "fixing", rows, Reason.MISSING_MARKET_DATA, message))
    return faults


def with_expired(
    trades: Trades,
    model: MarketModel,
    options: Prepared,
    exercisable: NDArray[np.bool_] | None = None,
    rebate: FloatArray | None = None,
) -> Prepared:
    """FX options with the columns pair, option_type, strike, notional, expiry_date and delivery_date.

    Those that expired before today are exercised where the fixing of their expiry date is beyond the strike: they are
    forwards then, delivered on the delivery date.

    :param exercisable: bool[n], False: never, whatever the fixing; None: all are.
    :param rebate: float64[n], a unit, paid on the delivery date by who is short; None: nothing.
    """
    expired = trades.days("expiry_date") < model.as_of
    if not expired.any():
        return options
    pair, strike, notional = trades.labels("pair"), trades.numbers("strike"), trades.numbers("notional")
    sign = np.where(trades.is_one("option_type", "call"), 1.0, -1.0)
    beyond = sign * (expired_fixings(trades, model) - strike)
    amount = np.where(beyond > 0.0, sign * notional, 0.0 * beyond)  # NaN without a fixing
    if exercisable is not None:
        amount = np.where(exercisable, amount, 0.0)
    cost = amount * strike - (0.0 if rebate is None else rebate * notional)
    exchanges = prepare_exchanges(
        model, (pair.map(first_currency), amount), (pair.map(second_currency), cost), trades.days("delivery_date")
    )
    return WithExpired(options, exchanges, expired)


def expired_fixings(trades: Trades, model: MarketModel) -> FloatArray:
    """float64[n]: the exchange rate fixed on each expiry date, NaN where there is none."""
    return model.fixings(trades.labels("pair"), trades.days("expiry_date"))
