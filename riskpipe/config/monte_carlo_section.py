"""The section `risk.monte_carlo`: how the market is simulated."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from riskpipe.market.monte_carlo_terms import Copula, MonteCarloTerms


class MonteCarloSettings(BaseModel):
    """The simulation behind monte_carlo_var, and the covariance of delta_gamma_var."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    scenarios: Annotated[int, Field(ge=16, le=1_000_000)] = Field(
        default=2048, description="Of monte_carlo_var: points of a Sobol sequence, best a power of two."
    )
    copula: Copula = Field(
        default="normal", description="normal; t: a multivariate t distribution of the same covariance."
    )
    degrees_of_freedom: Annotated[float, Field(gt=2.0)] = Field(
        default=4.0, description="Of the copula t: the fewer, the fatter the tails."
    )
    seed: Annotated[int, Field(ge=0)] = Field(default=1, description="Of the scrambling of the points.")
    shrinkage: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(
        default=None,
        description="Of correlations towards none: 0 takes those of the history; unset: as Ledoit and Wolf (2004) "
        "estimate it.",
    )

    def terms(self) -> MonteCarloTerms:
        return MonteCarloTerms(**self.model_dump())
