"""The section `stress`: scenarios that need no file."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from riskpipe.config.values import iso_date, unwanted
from riskpipe.market.factors import days_of, is_iso_date, pillar_days
from riskpipe.market.stress_terms import (
    CurveKind,
    CurveShape,
    CurveStress,
    DeclaredStresses,
    HistoryStress,
    LadderStress,
    VolatilityShift,
)

_ANY_DAY = days_of(date(2000, 1, 3))


def _name(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", value):
        raise unwanted("a name of letters, digits and _, which begins with a letter,")
    return value


def _tenor(value: object) -> object:
    if not isinstance(value, str) or is_iso_date(value) or pillar_days(value, _ANY_DAY) is None:
        raise unwanted("a tenor, such as 18M or 5Y")
    return value


def _rungs(value: tuple[float, ...]) -> tuple[float, ...]:
    # As the names of scenarios have them.
    if len({f"{100.0 * rung:+.10g}" for rung in value}) < len(value):
        raise unwanted("each shift once")
    return value


StressName = Annotated[str, BeforeValidator(_name)]
Day = Annotated[date, BeforeValidator(iso_date)]
Tenor = Annotated[str, BeforeValidator(_tenor)]
Rungs = Annotated[tuple[float, ...], Field(strict=False, min_length=1), AfterValidator(_rungs)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class HistoryStressSettings(_Entry):
    """The moves of some days of the past, at once."""

    first_day: Day = Field(description="A date of the history: the first whose move, from the date before, counts.")
    last_day: Day | None = Field(
        default=None, description="A date of the history: the moves until then are added up; unset: of one day."
    )

    @model_validator(mode="after")
    def _ordered(self) -> HistoryStressSettings:
        if self.last_day is not None and self.last_day < self.first_day:
            raise unwanted("a last_day that is not before first_day")
        return self


class LadderSettings(_Entry):
    """A scenario for each pair of a shift of the price and one of its volatilities."""

    underlying: str = Field(
        min_length=1, description="Name or glob of spots and forward prices, such as SPX or *_BANK."
    )
    spot: Rungs = Field(default=(0.0,), description="Relative shifts of the price: -0.2 is 20 % down.")
    volatility: Rungs = Field(default=(0.0,), description="Shifts of all volatilities of the same name.")
    volatility_shift: VolatilityShift = Field(
        default="relative", description="relative: 0.25 is a quarter up; absolute: 0.05 is five vol points."
    )
    separately: bool = Field(
        default=False, description="A ladder for each underlying that matches; else they move together."
    )

    @model_validator(mode="after")
    def _above_zero(self) -> LadderSettings:
        if min(self.spot) <= -1.0 or (self.volatility_shift == "relative" and min(self.volatility) <= -1.0):
            raise unwanted("relative shifts above -1: what is left of a price is above zero")
        if not any((*self.spot, *self.volatility)):
            raise unwanted("a shift of spot or of volatility")
        return self


class CurveStressSettings(_Entry):
    """A move of the points of curves by their time."""

    curve: str = Field(min_length=1, description="Name or glob of curves, such as USD.*.")
    kind: CurveKind = Field(
        default="rates", description="rates: their zero rates; credit: hazard rates; inflation: zero inflation rates."
    )
    shape: CurveShape = Field(
        default="parallel",
        description="parallel: all points by shift; steepen: none until the pivot, then linear in time to shift at "
        "end; twist: linear from -shift today through none at the pivot to shift at end. Flat beyond end.",
    )
    shift: float = Field(description="Absolute: 0.01 is 100 basis points; below zero the shapes are turned around.")
    pivot: Tenor | None = Field(default=None, description="Of steepen and twist: where nothing moves, such as 5Y.")
    end: Tenor = Field(default="30Y", description="Of steepen and twist: where the shift is reached.")

    @model_validator(mode="after")
    def _agree(self) -> CurveStressSettings:
        if self.shape == "parallel" and self.pivot is not None:
            raise unwanted("no pivot where all points move alike (shape: parallel)")
        if self.shape != "parallel" and self.pivot is None:
            raise unwanted(f"a pivot (shape: {self.shape})")
        if self.pivot is not None and (pillar_days(self.pivot, _ANY_DAY) or 0) >= (
            pillar_days(self.end, _ANY_DAY) or 0
        ):
            raise unwanted("a pivot before end")
        return self


class StressSettings(BaseModel):
    """Named scenarios of the measure stress, besides those of inputs.scenarios."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    history: dict[StressName, HistoryStressSettings] = Field(
        default_factory=dict, description="Days of inputs.history, applied to today."
    )
    ladders: dict[StressName, LadderSettings] = Field(default_factory=dict, description="Prices against volatilities.")
    curves: dict[StressName, CurveStressSettings] = Field(default_factory=dict, description="Moves of curves.")

    @model_validator(mode="after")
    def _named_once(self) -> StressSettings:
        names = [*self.history, *self.ladders, *self.curves]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise unwanted(f"each name once in all of stress ({', '.join(twice)})")
        return self

    def declared(self) -> DeclaredStresses:
        return DeclaredStresses(
            history=tuple(
                HistoryStress(name, days_of(each.first_day), days_of(each.last_day or each.first_day))
                for name, each in self.history.items()
            ),
            ladders=tuple(LadderStress(name, **each.model_dump()) for name, each in self.ladders.items()),
            curves=tuple(CurveStress(name, **each.model_dump()) for name, each in self.curves.items()),
        )
