"""The section `gates`: what a day must pass before it is published."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from riskpipe.config.values import unwanted

GateLevel = Annotated[
    Literal["warning", "error"],
    Field(description="warning: it is told; error: the day is not published (exit 5)."),
]


class _Gate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class FailedTradesGate(_Gate):
    """How many trades may fail; of several bounds each holds."""

    count: int | None = Field(default=None, ge=0, description="At most so many trades fail; unset: any number.")
    share: float | None = Field(default=None, ge=0.0, le=1.0, description="At most this share of all trades: 0.01.")
    pv_share: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Those that fail had at most this share of the sum of |pv| on the day published before.",
    )
    level: GateLevel = Field(default="error", description="Beyond: warning, told; error, not published (exit 5).")


class ChangeGate(_Gate):
    """By how much a figure of a book may differ from the day published before: beyond all bounds that are given."""

    measure: str = Field(
        min_length=1, description="A measure of aggregates, or a figure of risk.var; a glob, such as pv or var_*."
    )
    book: str = Field(default="*", description="Books, by a glob over their paths; an empty text is the root.")
    absolute: float | None = Field(default=None, gt=0.0, description="In base currency.")
    relative: float | None = Field(default=None, gt=0.0, description="Of the figure of the day before: 0.2 is a fifth.")
    level: GateLevel = Field(default="error", description="Beyond: warning, told; error, not published (exit 5).")

    @model_validator(mode="after")
    def _bounded(self) -> ChangeGate:
        if self.absolute is None and self.relative is None:
            raise unwanted("absolute or relative, or both")
        return self


class GateSettings(_Gate):
    """What keeps a day from being published."""

    limits: Literal["warning", "error"] = Field(
        default="warning",
        description="Limits that are breached: warning, they are told; error, the day is not published (exit 5).",
    )
    failed_trades: FailedTradesGate = Field(default_factory=FailedTradesGate, description="How many trades may fail.")
    change: Annotated[tuple[ChangeGate, ...], Field(strict=False)] = Field(
        default=(), description="By how much figures may change from the day published before."
    )

    @property
    def of_the_day_before(self) -> bool:
        """Whether any compares with the day published before."""
        return bool(self.change) or self.failed_trades.pv_share is not None
