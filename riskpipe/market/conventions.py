"""Conventions as plain values: which curve discounts a currency, how an index fixes, how curves interpolate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from riskpipe.market.calendar_names import with_own

OVERNIGHT: Final = "1D"
"""Tenor of overnight indices."""


class IndexConvention(Struct, frozen=True):
    """How a floating index projects and fixes.

    :param curve: name of the forward curve (`zero_rate:<curve>`).
    :param overnight: compounded daily in arrears, else a term rate.
    :param day_count: of the index; None: the day count of the leg.
    :param fixing_lag: business days between fixing and start of the period; of an overnight index the lookback: the
        rate of so many business days before counts for each day, the observation period is not shifted.
    :param calendar: of the fixings; None: the calendar of the leg.
    :param observation_lag: of a price index: months from the index to the payment that it settles.
    :param observation: of a price index: "flat" over the month, or "linear" to the next month's.
    :param seasonality: of a price index: by how much each month from January on, 12 of them, lies above (1.01) the
        projection without; empty: by nothing.
    """

    name: str
    curve: str
    overnight: bool = False
    day_count: str | None = None
    fixing_lag: int = 0
    calendar: str | None = None
    observation_lag: int = 3
    observation: str = "flat"
    seasonality: tuple[float, ...] = ()


class SurfaceConvention(Struct, frozen=True):
    """How a volatility surface is quoted and interpolated.

    :param strike_interpolation: "linear" in strike, "linear_log_strike", or a natural "cubic_spline" in strike.
    :param delta: "market" (of a pair: spot up to a year where no currency is an emerging one, else forward; forward
        of all others), "spot" or "forward".
    :param premium_adjusted: deltas less the premium, of a pair; None: as the market has it.
    :param atm: "delta_neutral", "forward" or "spot"; None: delta_neutral of a pair, forward of all others.
    :param strangle: butterflies are "smile" strangles (of the smile's own two volatilities) or "market" strangles
        (the premium of two options at one volatility).
    """

    strike_interpolation: str = "linear"
    delta: str = "market"
    premium_adjusted: bool | None = None
    atm: str | None = None
    strangle: str = "smile"


class CommodityConvention(Struct, frozen=True):
    """What the forward prices of a commodity are of.

    :param curve: "interpolated" in time between their dates; "contracts": a point is the price of the futures contract
        that expires on its date, and that of no other.
    :param roll_days: of contracts: the prompt one of a day expires at least so many business days after it.
    :param calendar: of these business days; None: the calendar of the trade.
    :param correlation_decay: the returns of two contracts have the correlation exp(-correlation_decay x years between
        their expiries).
    """

    curve: str = "interpolated"
    roll_days: int = 0
    calendar: str | None = None
    correlation_decay: float = 0.0


class FxPairConvention(Struct, frozen=True):
    """When the rate of a pair is exchanged.

    :param spot_lag: business days from the day it is agreed on; None: 2, of some pairs with the dollar 1.
    :param calendar: whose business days are counted and of which the spot date is one; None: those of both currencies,
        holidays of the dollar counting at the end alone.
    """

    spot_lag: int | None = None
    calendar: str | None = None


class CurveConvention(Struct, frozen=True):
    """How the quotes of a curve are to be read; None: as the market of its currency has it (`market.bootstrap`).

    :param index_tenor: of the index that the curve projects: 1D (overnight) or nM; None: what its name ends with, else
        1D.
    :param discount_curve: of the quoted swaps; None: that of the currency.
    :param projection_curve: of a cross-currency curve: what projects the leg in its own currency; None: the
        currency's discount curve.
    :param against: of basis swaps: the curve that projects the other leg.
    :param basis_on: which leg the quoted basis is paid on, "own" or "against"; None: that of the shorter index, between
        currencies the own one.
    :param float_frequency: of both legs of cross-currency swaps, and of basis swaps of two overnight indices; None: 3M.
    :param resetting: whose notional of cross-currency swaps follows the exchange rate, "own" or "against"; None:
        neither's.
    :param day_count: of the index, of deposits and of periods.
    :param fixed_frequency: of fixed legs and of premiums; `fixed_day_count`: theirs.
    :param settlement_days: business days from as_of to the start of what is quoted by a tenor.
    :param end_of_month: what starts on the last business day of a month rolls and ends on that of others.
    :param payment_lag: business days from the end of a period to its payment, but not of swaps of a term index; None:
        0.
    :param payment_calendar: of payments of overnight swaps; None: `calendar`.
    :param averaging: of overnight rates of the own leg, "compounded" or "averaged"; None: compounded;
        `against_averaging`: of the other one of basis swaps.
    :param futures_volatility: normal, a year, for the convexity of futures; None: 0.
    """

    index_tenor: str | None = None
    discount_curve: str | None = None
    projection_curve: str | None = None
    against: str | None = None
    basis_on: str | None = None
    float_frequency: str | None = None
    resetting: str | None = None
    calendar: str | None = None
    business_day_convention: str | None = None
    settlement_days: int | None = None
    day_count: str | None = None
    fixed_frequency: str | None = None
    fixed_day_count: str | None = None
    end_of_month: bool | None = None
    payment_lag: int | None = None
    payment_calendar: str | None = None
    averaging: str | None = None
    against_averaging: str | None = None
    futures_volatility: float | None = None


class Conventions(Struct, frozen=True):
    """Everything that turns factors into curves and is not itself market data.

    :param discount_curves: currency -> name of its discount curve; default `<CCY>.OIS`.
    :param curve_interpolation: curve name -> "log_linear_discount" (default) or "linear_zero".
    :param curve_extrapolation: curve name -> "flat_zero" or "flat_forward", beyond the last point.
    :param surfaces: name of a volatility surface -> how it is quoted and interpolated.
    :param curves: curve or reference entity -> how its quotes are to be read.
    :param commodities: name of forward prices -> what they are of.
    :param fx_pairs: pair, either way round -> when its rate is exchanged.
    :param calendars: name of one's own calendar -> what it is called everywhere (`riskpipe.market.own_calendars`).
    :param fx_spot: exchange rates are of "today", or of their "spot_date".
    :param credit_model: "midpoint" or "isda" (piecewise integration, Markit's standard model).
    :param credit_step_in: "none", credit default swaps as they are held, or "next_day", as who steps in then pays for
        them: premium of periods whose accrual has ended by that day is the holder's before.
    """

    base_currency: str = "USD"
    discount_curves: Mapping[str, str] = field(default_factory=dict)
    indices: Mapping[str, IndexConvention] = field(default_factory=dict)
    curve_interpolation: Mapping[str, str] = field(default_factory=dict)
    curve_extrapolation: Mapping[str, str] = field(default_factory=dict)
    surfaces: Mapping[str, SurfaceConvention] = field(default_factory=dict)
    curves: Mapping[str, CurveConvention] = field(default_factory=dict)
    commodities: Mapping[str, CommodityConvention] = field(default_factory=dict)
    fx_pairs: Mapping[str, FxPairConvention] = field(default_factory=dict)
    calendars: Mapping[str, str] = field(default_factory=dict)
    fx_spot: str = "today"
    credit_model: str = "midpoint"
    credit_step_in: str = "none"

    def with_calendars(self, own: Mapping[str, str]) -> Conventions:
        """The same, with one's own calendars, which entries are told to have by name."""
        entries: dict[str, Any] = {
            key: {name: _renamed(entry, own) for name, entry in getattr(self, key).items()}
            for key in ("indices", "curves", "commodities", "fx_pairs")
        }
        return replace(self, **entries, calendars=dict(own))

    def discount_curve(self, currency: str) -> str:
        return self.discount_curves.get(currency, f"{currency}.OIS")

    def index(self, name: str) -> IndexConvention:
        """The convention of an index; without an entry, the forward curve of that name, a term rate without lag."""
        return self.indices.get(name, IndexConvention(name, curve=name))

    def index_tenor(self, curve: str) -> str:
        """Of the index that a curve projects: as configured, else what the name ends with (EUR.EURIBOR3M), else 1D."""
        match = re.search(r"(?<!\d)(\d{1,2}M)$", curve)
        return self.curve(curve).index_tenor or (match[1] if match else OVERNIGHT)

    def interpolation(self, curve: str) -> str:
        return self.curve_interpolation.get(curve, "log_linear_discount")

    def extrapolation(self, curve: str, default: str = "flat_zero") -> str:
        return self.curve_extrapolation.get(curve, default)

    def surface(self, name: str) -> SurfaceConvention:
        """The convention of a surface; without an entry the market's, linear in strike."""
        return self.surfaces.get(name, SurfaceConvention())

    def curve(self, name: str) -> CurveConvention:
        """How the quotes of a curve are to be read; without an entry, as its currency's market has it."""
        return self.curves.get(name, CurveConvention())

    def commodity(self, name: str) -> CommodityConvention:
        """What the forward prices of a name are of; without an entry, interpolated."""
        return self.commodities.get(name, CommodityConvention())

    def fx_pair(self, pair: str) -> FxPairConvention:
        """When a pair's rate is exchanged; without an entry, of it or of it turned round, as its market has it."""
        return self.fx_pairs.get(pair) or self.fx_pairs.get(pair[3:] + pair[:3], FxPairConvention())


def _renamed(entry: Any, own: Mapping[str, str]) -> Any:
    """An entry, each of whose calendars is called as one's own are everywhere."""
    named = {key: getattr(entry, key, None) for key in ("calendar", "payment_calendar")}
    return replace(entry, **{key: with_own(name, own) for key, name in named.items() if name is not None})
