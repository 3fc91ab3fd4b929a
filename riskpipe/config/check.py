"""The section `check`: what of the inputs is told, and how much weight it has."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class CheckSettings(BaseModel):
    """What `riskpipe check`, and every run before it prices, tells of the inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    market_date: Literal["error", "warning"] = Field(
        default="error",
        description="A market or history that says it is of another day than as_of: error stops; warning values it "
        "all the same, such as Friday's market for the month's last Sunday.",
    )
