"""The section `market`: conventions of currencies, indices and curves."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from riskpipe.config.values import CurrencyCode, CurrencyPair, Location, OneOf, no_repeats, unwanted
from riskpipe.market.calendar_names import A_CALENDAR, QUANTLIB, WEEKDAYS, is_calendar
from riskpipe.market.conventions import (
    CommodityConvention,
    Conventions,
    CurveConvention,
    FxPairConvention,
    IndexConvention,
    SurfaceConvention,
)
from riskpipe.market.date_rules import CONVENTIONS, DAY_COUNTS, FREQUENCIES

CALENDAR_NAME = "[A-Za-z][A-Za-z0-9_]*"
CALENDAR_PATTERN = f"^{CALENDAR_NAME}([+]{CALENDAR_NAME})*$"
DayCount = Annotated[str, OneOf(DAY_COUNTS)]
Frequency = Annotated[str, OneOf(FREQUENCIES)]
BusinessDays = Annotated[str, OneOf(CONVENTIONS)]
Interpolation = Literal["log_linear_discount", "linear_zero"]
Averaging = Literal["compounded", "averaged"]
INDEX_TENOR_PATTERN = "^(1D|[1-9][0-9]?M)$"


def _built_in(value: object) -> object:
    if isinstance(value, str) and not is_calendar(value):
        raise unwanted(f"a calendar: {A_CALENDAR}")
    return value


def _own_name(value: object) -> object:
    if isinstance(value, str) and value in QUANTLIB:
        raise unwanted("a name that no calendar has yet")
    if isinstance(value, str) and not re.fullmatch(CALENDAR_NAME, value):
        raise unwanted("a name of letters, digits and _, which begins with a letter,")
    return value


def _index_tenor(value: object) -> object:
    if isinstance(value, str) and not re.match(INDEX_TENOR_PATTERN, value):
        raise unwanted("1D, or a number of months such as 3M")
    return value


IndexTenor = Annotated[str, BeforeValidator(_index_tenor), Field(json_schema_extra={"pattern": INDEX_TENOR_PATTERN})]
# Which names there are, the loader knows: one's own are of another key.
Calendar = Annotated[str, Field(json_schema_extra={"pattern": CALENDAR_PATTERN})]
BuiltInCalendar = Annotated[Calendar, BeforeValidator(_built_in)]
OwnName = Annotated[str, BeforeValidator(_own_name)]
Weekday = Annotated[str, OneOf(WEEKDAYS)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class CurrencySettings(_Entry):
    """Conventions of one currency."""

    discount_curve: str = Field(min_length=1, description="Name of its discount curve; without an entry <CCY>.OIS.")


class CalendarSettings(_Entry):
    """A calendar of one's own."""

    path: Location = Field(description="Holidays: a Parquet file, or a directory of such, with a column `date`.")
    base: BuiltInCalendar | None = Field(
        default=None, description="Calendar whose weekends and holidays it has besides; unset: the weekend alone."
    )
    weekend: Annotated[tuple[Weekday, ...], Field(strict=False, max_length=6), AfterValidator(no_repeats)] = Field(
        default=(), description="Weekdays that are closed; unset: saturday and sunday, with a base that of the base."
    )

    @field_validator("weekend")
    @classmethod
    def _without_base(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if value and info.data.get("base") is not None:
            raise unwanted("no weekend, since base has one")
        return value


class IndexSettings(_Entry):
    """Conventions of one floating-rate index."""

    curve: str = Field(min_length=1, description="Name of the forward curve (zero_rate:<curve>).")
    overnight: bool = Field(default=False, description="Compounded daily in arrears, else a term rate.")
    day_count: DayCount | None = Field(default=None, description="Day count; unset: that of the leg.")
    fixing_lag: int = Field(
        default=0,
        ge=0,
        description="Business days between the fixing and the start of its period; of an overnight index the lookback.",
    )
    calendar: Calendar | None = Field(default=None, description="Calendar of the fixings; unset: that of the leg.")
    observation_lag: int = Field(
        default=3, ge=0, le=24, description="Of a price index: months from the index to the payment that it settles."
    )
    observation: Literal["flat", "linear"] = Field(
        default="flat", description="Of a price index: flat over the month, or linear to the next month's."
    )
    seasonality: Annotated[tuple[Annotated[float, Field(gt=0.0)], ...], Field(strict=False)] = Field(
        default=(),
        description="Of a price index: a factor of its projections for each month from January on; unset: none.",
    )

    @field_validator("seasonality")
    @classmethod
    def _of_all_months(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if value and len(value) != 12:
            raise unwanted("12 factors, from January on")
        return value


class CurveSettings(_Entry):
    """Conventions of one curve; those after `extrapolation` say how its quotes are read, if it has any."""

    interpolation: Interpolation = Field(
        default="log_linear_discount", description="Between points; before the first one the zero rate is flat."
    )
    extrapolation: Literal["flat_zero", "flat_forward"] | None = Field(
        default=None,
        description="Rate that is flat beyond the last point; unset: zero, of hazard rates made of spreads forward.",
    )
    index_tenor: IndexTenor | None = Field(
        default=None, description="Of the index: 1D (overnight) or nM; unset: what the name ends with, else 1D."
    )
    discount_curve: str | None = Field(
        default=None, min_length=1, description="Discounts the quoted swaps; unset: the currency's discount curve."
    )
    against: str | None = Field(
        default=None, min_length=1, description="Of basis swaps: the curve that projects the other leg."
    )
    basis_on: Literal["own", "against"] | None = Field(
        default=None,
        description="Leg that the quoted basis is paid on; unset: that of the shorter index, between currencies own.",
    )
    projection_curve: str | None = Field(
        default=None,
        min_length=1,
        description="Of a cross-currency curve: projects its own leg; unset: the currency's discount curve.",
    )
    float_frequency: Frequency | None = Field(
        default=None,
        description="Of both legs of cross-currency swaps, and of basis between two overnight indices; unset: 3M.",
    )
    resetting: Literal["own", "against"] | None = Field(
        default=None,
        description="Leg of cross-currency swaps whose notional follows the exchange rate; unset: neither.",
    )
    calendar: Calendar | None = Field(default=None, description="Of all dates; unset: by currency.")
    business_day_convention: BusinessDays | None = Field(
        default=None, description="Of all dates; unset: modified_following, of credit default swaps following."
    )
    settlement_days: int | None = Field(
        default=None,
        ge=0,
        description="Business days from as_of to the start; unset: by currency, of credit default swaps 0 (days).",
    )
    end_of_month: bool | None = Field(
        default=None,
        description="What starts on a month's last business day rolls and ends on such days; unset: it does not.",
    )
    day_count: DayCount | None = Field(
        default=None, description="Of the index, deposits, FRAs and futures; unset: by currency."
    )
    fixed_frequency: Frequency | None = Field(
        default=None, description="Of fixed legs; unset: by currency, of premiums 3M."
    )
    fixed_day_count: DayCount | None = Field(
        default=None, description="Of fixed legs; unset: by currency, of premiums ACT/360."
    )
    payment_lag: int | None = Field(
        default=None,
        ge=0,
        description="Business days from a period's end to its payment, not of swaps of a term index; unset: 0.",
    )
    payment_calendar: Calendar | None = Field(
        default=None, description="Of payments of overnight swaps; unset: calendar."
    )
    averaging: Averaging | None = Field(
        default=None, description="Of daily rates of the own overnight leg; unset: compounded."
    )
    against_averaging: Averaging | None = Field(
        default=None, description="Likewise, of the overnight leg that basis swaps are against."
    )
    futures_volatility: float | None = Field(
        default=None, ge=0.0, description="Normal volatility a year, for the convexity of futures; unset: 0."
    )

    @field_validator("extrapolation")
    @classmethod
    def _of_log_linear_curves(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value == "flat_forward" and info.data.get("interpolation") == "linear_zero":
            raise unwanted("flat_zero (interpolation is linear_zero, which has no last forward rate)")
        return value

    def convention(self) -> CurveConvention:
        return CurveConvention(**self.model_dump(exclude={"interpolation", "extrapolation"}))


class SurfaceSettings(_Entry):
    """Conventions of one volatility surface."""

    strike_interpolation: Literal["linear", "linear_log_strike", "cubic_spline"] = Field(
        default="linear", description="Of the volatility between strikes; beyond the ends it is flat."
    )
    delta: Literal["market", "spot", "forward"] = Field(
        default="market",
        description="Deltas are of the spot or the forward; market: of pairs spot up to 1Y, else forward.",
    )
    premium_adjusted: bool | None = Field(
        default=None, description="Deltas of a pair less the premium; unset: where the market pays it in the first one."
    )
    atm: Literal["delta_neutral", "forward", "spot"] | None = Field(
        default=None, description="Strike at the money; unset: delta_neutral of pairs, else forward."
    )
    strangle: Literal["smile", "market"] = Field(
        default="smile", description="What butterflies are: smile strangles, or market strangles to calibrate to."
    )


class CommoditySettings(_Entry):
    """Conventions of the forward prices of one commodity."""

    curve: Literal["interpolated", "contracts"] = Field(
        default="interpolated",
        description="Forward prices: interpolated in time between their dates, or of contracts that expire on them.",
    )
    roll_days: int = Field(
        default=0,
        ge=0,
        le=60,
        description="Of contracts: a day's prompt one expires at least so many business days after it.",
    )
    calendar: Calendar | None = Field(
        default=None, description="Calendar of these business days; unset: that of the trade."
    )
    correlation_decay: float = Field(
        default=0.0,
        ge=0.0,
        description="Contracts' returns have the correlation exp(-correlation_decay x years between their expiries).",
    )


class FxPairSettings(_Entry):
    """Conventions of one currency pair."""

    spot_lag: int | None = Field(
        default=None,
        ge=0,
        le=5,
        description="Business days from the day of a rate to its spot date; unset: 2, of some pairs with USD 1.",
    )
    calendar: Calendar | None = Field(
        default=None,
        description="Of all of these days; unset: those of both currencies, holidays of USD counting at the end alone.",
    )


class MarketSettings(_Entry):
    """Conventions that are not market data; by default everything follows the names in the data."""

    currencies: dict[CurrencyCode, CurrencySettings] = Field(default_factory=dict, description="By currency code.")
    indices: dict[str, IndexSettings] = Field(default_factory=dict, description="By name of the index.")
    curves: dict[str, CurveSettings] = Field(default_factory=dict, description="By name of the curve.")
    surfaces: dict[str, SurfaceSettings] = Field(
        default_factory=dict, description="By name of the surface; of FX the pair."
    )
    commodities: dict[str, CommoditySettings] = Field(
        default_factory=dict, description="By name of the forward prices."
    )
    fx_pairs: dict[CurrencyPair, FxPairSettings] = Field(
        default_factory=dict, description="By pair, one way round, for fx_spot: spot_date."
    )
    calendars: dict[OwnName, CalendarSettings] = Field(
        default_factory=dict, description="Calendars of one's own, by name."
    )
    fx_spot: Literal["today", "spot_date"] = Field(
        default="today",
        description="What the spots of currency pairs are for: exchange today, or, as they are quoted, on their spot "
        "date; today's rate is then the quote, discounted from there by both currencies' curves.",
    )
    credit_model: Literal["midpoint", "isda"] = Field(
        default="midpoint",
        description="Credit default swaps: protection paid mid-period, or as in the ISDA standard model.",
    )
    credit_step_in: Literal["none", "next_day"] = Field(
        default="none",
        description="Credit default swaps as they are held, or as who steps in on the next day pays for them.",
    )

    @field_validator("fx_pairs")
    @classmethod
    def _one_way_round(cls, value: dict[str, FxPairSettings]) -> dict[str, FxPairSettings]:
        twice = next((pair for pair in value if pair[3:] + pair[:3] in value), None)
        if twice is not None:
            raise unwanted(f"each pair one way round ({twice} and {twice[3:]}{twice[:3]} are the same)")
        return value

    def located(self, absolute: Callable[[str], str]) -> MarketSettings:
        """With other places of files."""
        calendars = {
            name: entry.model_copy(update={"path": absolute(entry.path)}) for name, entry in self.calendars.items()
        }
        return self.model_copy(update={"calendars": calendars})

    def conventions(self, base_currency: str) -> Conventions:
        return Conventions(
            base_currency=base_currency,
            discount_curves={name: entry.discount_curve for name, entry in self.currencies.items()},
            indices={name: IndexConvention(name, **entry.model_dump()) for name, entry in self.indices.items()},
            curve_interpolation={name: entry.interpolation for name, entry in self.curves.items()},
            curve_extrapolation={
                name: entry.extrapolation for name, entry in self.curves.items() if entry.extrapolation is not None
            },
            surfaces={name: SurfaceConvention(**entry.model_dump()) for name, entry in self.surfaces.items()},
            curves={name: entry.convention() for name, entry in self.curves.items()},
            commodities={name: CommodityConvention(**entry.model_dump()) for name, entry in self.commodities.items()},
            fx_pairs={pair: FxPairConvention(**entry.model_dump()) for pair, entry in self.fx_pairs.items()},
            fx_spot=self.fx_spot,
            credit_model=self.credit_model,
            credit_step_in=self.credit_step_in,
        )
