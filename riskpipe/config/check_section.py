"""The section `check`: which warnings the inputs give, and which of them are errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from riskpipe.config.values import unwanted
from riskpipe.market.consistency import TOLERANCES, Tolerances
from riskpipe.market.ranges import RANGES, Ranges


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if not value[0] <= value[1]:
        raise unwanted("a range [least, most]")
    return value


Range = Annotated[tuple[float, float], Field(strict=False), AfterValidator(_ordered)]


class ToleranceSettings(BaseModel):
    """By how much two facts of the market may differ, as a fraction of the lower one; by more, neither is taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    fx_cross: float = Field(
        default=TOLERANCES.fx_cross, gt=0.0, description="An exchange rate, and what two others make of it."
    )
    forward: float = Field(
        default=TOLERANCES.forward,
        gt=0.0,
        description="A forward price within three months and the spot, of pairs and of what has dividends.",
    )
    commodity_forward: float = Field(
        default=TOLERANCES.commodity_forward, gt=0.0, description="Likewise of what has no dividends."
    )

    def values(self) -> Tolerances:
        return Tolerances(**self.model_dump())


class CheckSettings(BaseModel):
    """What `riskpipe check`, and every run before it prices, tells of the inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    market_date: Literal["error", "warning"] = Field(
        default="error",
        description="A market or history that says it is of another day than as_of: error stops; warning values it "
        "all the same, such as Friday's market for the month's last Sunday.",
    )
    ranges: dict[str, Range] = Field(
        default_factory=dict,
        description="By kind of factor or by column of a product, [least, most]: a value outside is a warning.",
    )

    tolerances: ToleranceSettings = Field(
        default_factory=ToleranceSettings, description="Beyond which facts of the market exclude each other."
    )

    @property
    def usual(self) -> Ranges:
        """All ranges that hold."""
        return {**RANGES, **self.ranges}
