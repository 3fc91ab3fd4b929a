"""Conventions as plain values: which curve discounts a currency, how an index fixes, how curves interpolate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class IndexConvention:
    """How a floating index projects and fixes.

    :param curve: name of the forward curve (`zero_rate:<curve>`).
    :param overnight: compounded daily in arrears, else a term rate.
    :param day_count: of the index; None: the day count of the leg.
    :param fixing_lag: business days between fixing and start of the period; of an overnight index the lookback: the
        rate of so many business days before counts for each day, the observation period is not shifted.
    :param calendar: of the fixings; None: the calendar of the leg.
    :param observation_lag: of a price index: months from the index to the payment that it settles.
    :param observation: of a price index: "flat" over the month, or "linear" to the next month's.
    """

    name: str
    curve: str
    overnight: bool = False
    day_count: str | None = None
    fixing_lag: int = 0
    calendar: str | None = None
    observation_lag: int = 3
    observation: str = "flat"


@dataclass(frozen=True)
class SurfaceConvention:
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


@dataclass(frozen=True)
class CurveConvention:
    """How the quotes of a curve are to be read; None: as the market of its currency has it (`market.bootstrap`).

    :param index_tenor: of the index that the curve projects: 1D (overnight) or nM; None: what its name ends with, else
        1D.
    :param discount_curve: of the quoted swaps; None: that of the currency.
    :param projection_curve: of a cross-currency curve: what projects the leg in its own currency; None: the
        currency's discount curve.
    :param against: of basis swaps: the curve that projects the other leg.
    :param basis_on: which leg the quoted basis is paid on, "own" or "against"; None: that of the shorter index, between
        currencies the own one.
    :param float_frequency: of both legs of cross-currency swaps; None: 3M.
    :param day_count: of the index, of deposits and of periods.
    :param fixed_frequency: of fixed legs and of premiums; `fixed_day_count`: theirs.
    :param settlement_days: business days from as_of to the start of what is quoted by a tenor.
    :param payment_lag: business days from the end of a period of overnight swaps to its payment; None: 0.
    :param futures_volatility: normal, a year, for the convexity of futures; None: 0.
    """

    index_tenor: str | None = None
    discount_curve: str | None = None
    projection_curve: str | None = None
    against: str | None = None
    basis_on: str | None = None
    float_frequency: str | None = None
    calendar: str | None = None
    business_day_convention: str | None = None
    settlement_days: int | None = None
    day_count: str | None = None
    fixed_frequency: str | None = None
    fixed_day_count: str | None = None
    payment_lag: int | None = None
    futures_volatility: float | None = None


@dataclass(frozen=True)
class Conventions:
    """Everything that turns factors into curves and is not itself market data.

    :param discount_curves: currency -> name of its discount curve; default `<CCY>.OIS`.
    :param curve_interpolation: curve name -> "log_linear_discount" (default) or "linear_zero".
    :param curve_extrapolation: curve name -> "flat_zero" or "flat_forward", beyond the last point.
    :param surfaces: name of a volatility surface -> how it is quoted and interpolated.
    :param curves: curve or reference entity -> how its quotes are to be read.
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
    fx_spot: str = "today"
    credit_model: str = "midpoint"
    credit_step_in: str = "none"

    def discount_curve(self, currency: str) -> str:
        return self.discount_curves.get(currency, f"{currency}.OIS")

    def index(self, name: str) -> IndexConvention:
        """The convention of an index; without an entry, the forward curve of that name, a term rate without lag."""
        return self.indices.get(name, IndexConvention(name, curve=name))

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
