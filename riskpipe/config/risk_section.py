"""The section `risk`: the figures that a desk wants of its P&L vectors."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from riskpipe.analyses.risk_terms import BacktestTerms, LiquidityTerms, ReverseStress, RiskTerms, StressedWindow
from riskpipe.config.monte_carlo_section import MonteCarloSettings
from riskpipe.config.values import OneOf, unwanted, valuation_date
from riskpipe.market.factors import RISK_CLASSES, LiquidityHorizon, RiskClass
from riskpipe.measures.measure_names import CROSS, PNL_SETS, WHOLE_RISK
from riskpipe.measures.tail_definition import Horizon, Kind, Quantile, TailDefinition, Weighting

ALL: Literal["all"] = "all"
AskedClass = Literal["all", RiskClass]
_ASKED_SCHEMA = WithJsonSchema(
    {"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"enum": [ALL, *RISK_CLASSES], "type": "string"}}]}
)


def _asked(value: object) -> object:
    """Names of classes; true is all of them."""
    if isinstance(value, bool):
        return (ALL,) if value else ()
    if isinstance(value, list | tuple) and all(name in (ALL, *RISK_CLASSES) for name in value):
        return tuple(dict.fromkeys(value))
    raise unwanted(f"true, false or a list of {', '.join(RISK_CLASSES)}")


DECAYS = {"age": 0.98, "volatility": 0.94}


class TailSettings(BaseModel):
    """One figure of the tail: of the P&L vector of every book under a history."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] = Field(description="What reports call it.")
    kind: Kind = Field(default="var", description="var: value at risk; es: expected shortfall.")
    confidence: float = Field(gt=0.5, lt=1.0, description="Such as 0.99.")
    window: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="The last so many days of the history; unset: all."
    )
    horizon_days: Annotated[int, Field(ge=1)] = Field(
        default=1, description="In steps of the history's days (`history.horizon_days`)."
    )
    horizon: Horizon = Field(
        default="overlapping",
        description="How a longer horizon is made of days: overlapping, sums of P&Ls that follow each other; "
        "square_root, of one day's figure.",
    )
    weighting: Weighting = Field(
        default="equal",
        description="equal; age: a day weighs decay times the one after it; volatility: each P&L is scaled to the "
        "book's volatility today.",
    )
    decay: Annotated[float, Field(gt=0.0, le=1.0)] | None = Field(
        default=None,
        description=f"Of weighting; unset: {DECAYS['age']} for age, {DECAYS['volatility']} for volatility.",
    )
    quantile: Quantile = Field(
        default="empirical",
        description="empirical: the loss of one scenario; harrell_davis: an average of all, most of those near it.",
    )

    scenario_set: str | None = Field(
        default=None,
        description="historical, a name of inputs.histories, or monte_carlo: the P&L it is of; unset: every history, "
        "and the simulation where no days are asked for.",
    )
    risk_class: Annotated[str, OneOf((WHOLE_RISK, *RISK_CLASSES, CROSS))] | None = Field(
        default=None, description="all, a class or cross (by_class): unset: every one there is."
    )

    @model_validator(mode="after")
    def _agree(self) -> TailSettings:
        if self.quantile == "harrell_davis" and (self.kind != "var" or self.weighting == "age"):
            raise unwanted("quantile empirical: harrell_davis is of kind var and of equal weights alone")
        if self.decay is not None and self.weighting == "equal":
            raise unwanted("no decay where all days weigh the same")
        if self.decay == 1.0 and self.weighting == "volatility":
            raise unwanted("a decay below 1")
        if self.scenario_set == PNL_SETS["monte_carlo_var"] and self.definition().is_of_days:
            raise unwanted("no window, weighting or overlapping horizon: scenarios of monte_carlo are of no days")
        return self

    def definition(self) -> TailDefinition:
        terms: dict[str, Any] = self.model_dump()
        if self.decay is None:
            terms["decay"] = DECAYS.get(self.weighting)
        return TailDefinition(**terms)


class LiquiditySettings(BaseModel):
    """Expected shortfall that grows with the time it takes to leave a position (MAR33.4 to 33.8)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    confidence: float = Field(default=0.975, gt=0.5, lt=1.0, description="Of the expected shortfall.")
    base_days: Annotated[int, Field(ge=1)] = Field(default=10, description="T of the formula: what a P&L is over.")
    horizon_days: Annotated[int, Field(ge=1)] = Field(
        default=10,
        description="Sums of so many P&Ls that follow each other are over base_days; 1 where history.horizon_days is "
        "that already.",
    )
    days: dict[str, LiquidityHorizon] = Field(
        default_factory=dict,
        description="By glob over kind:name, the last that matches: 10, 20, 40, 60 or 120. Without an entry as "
        "MAR33.12 has it, the less liquid where factors do not tell.",
    )


class StressedWindowSettings(BaseModel):
    """The search for the days in which a book's P&L has the largest expected shortfall."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] = Field(description="What reports call it.")
    book: str = Field(default="", description="Its path; unset: the root.")
    days: Annotated[int, Field(ge=2)] = Field(default=250, description="Length of the window, in days of the history.")
    confidence: float = Field(default=0.975, gt=0.5, lt=1.0, description="Of the expected shortfall.")
    scenario_set: str = Field(default=PNL_SETS["historical_var"], description="historical, or of inputs.histories.")


Named = TypeVar("Named", TailSettings, StressedWindowSettings)


def _named_once(value: tuple[Named, ...]) -> tuple[Named, ...]:
    names = [each.name for each in value]
    if len(names) != len(set(names)):
        raise unwanted("each name once")
    return value


class ComponentSettings(BaseModel):
    """What single trades contribute to the figures of `risk.var`: the scenarios of the tail are priced once more."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    trades: Annotated[int, Field(ge=0)] = Field(
        default=1_000, description="The largest so many trades of the root and of each of `books`; 0: none."
    )
    books: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="Further books, by path or pattern, such as rates/*."
    )


LATEST = "latest"
_DAY_SCHEMA = WithJsonSchema({"anyOf": [{"const": LATEST}, {"type": "string", "format": "date"}]})


def _latest_or_day(value: object) -> object:
    return value if value == LATEST else valuation_date(value)


def _each_class(value: tuple[RiskClass, ...]) -> tuple[RiskClass, ...]:
    if sorted(value) != sorted(RISK_CLASSES):
        raise unwanted(f"each of {', '.join(RISK_CLASSES)} once")
    return value


class ExplainSettings(BaseModel):
    """What the measure pnl_explain explains today's P&L from, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    previous: Annotated[Literal["latest"] | date, BeforeValidator(_latest_or_day), _DAY_SCHEMA] = Field(
        default="latest", description="An earlier published day, YYYY-MM-DD; latest: the last one before as_of."
    )
    order: Annotated[tuple[RiskClass, ...], Field(strict=False), AfterValidator(_each_class)] = Field(
        default=RISK_CLASSES, description="In which the risk classes move from the earlier day's levels to today's."
    )


class BacktestSettings(BaseModel):
    """How the table `backtests` is made of the published days that have explained P&L."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    days: Annotated[int, Field(ge=1)] = Field(default=250, description="At most so many, the last ones.")
    pnl: Literal["hypothetical", "actual"] = Field(
        default="hypothetical",
        description="hypothetical: of the market's moves alone, the book unchanged; actual: all of it.",
    )


class ReverseStressSettings(BaseModel):
    """A move of the market that is looked for by what it costs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] = Field(description="Of the scenario.")
    book: str = Field(default="", description="Its path; unset: the root.")
    loss: float = Field(gt=0.0, description="What the move is to lose, in the base currency.")


class RiskSettings(BaseModel):
    """What is made of the P&L vectors of books, by `riskpipe analyse` again; and what is priced for it (by_class)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    var: Annotated[tuple[TailSettings, ...], Field(strict=False), AfterValidator(_named_once)] = Field(
        default=(
            TailSettings(name="var_99", kind="var", confidence=0.99),
            TailSettings(name="es_97_5", kind="es", confidence=0.975),
        ),
        description="Figures of the table `var`.",
    )

    by_class: Annotated[tuple[AskedClass, ...], Field(strict=False), BeforeValidator(_asked), _ASKED_SCHEMA] = Field(
        default=(),
        description="P&L with the factors of one risk class alone moving, and what the classes leave (cross): true, "
        "every class that moves; or a list.",
    )
    classes: dict[str, RiskClass] = Field(
        default_factory=dict,
        description="By glob over kind:name, the last that matches: the class of these factors. Without an entry as "
        "their kind and name say.",
    )
    components: ComponentSettings = Field(
        default_factory=ComponentSettings, description="Rows of trades in the table `var_components`."
    )
    explain: ExplainSettings = Field(default_factory=ExplainSettings, description="Of the measure pnl_explain.")
    backtests: BacktestSettings = Field(default_factory=BacktestSettings, description="Of the table `backtests`.")

    liquidity_horizons: LiquiditySettings | None = Field(
        default=None, description="Expected shortfall by liquidity horizons; unset: none."
    )
    stressed_windows: Annotated[
        tuple[StressedWindowSettings, ...], Field(strict=False), AfterValidator(_named_once)
    ] = Field(default=(), description="Searches of the table `stressed_windows`.")

    monte_carlo: MonteCarloSettings = Field(
        default_factory=MonteCarloSettings, description="How the market is simulated."
    )

    reverse_stress: Annotated[tuple[ReverseStressSettings, ...], Field(strict=False), AfterValidator(_named_once)] = (
        Field(default=(), description="Searches of the table `reverse_stress`, with delta_gamma_var.")
    )

    def terms(self) -> RiskTerms:
        liquidity = self.liquidity_horizons
        return RiskTerms(
            tuple(each.definition() for each in self.var),
            None if liquidity is None else LiquidityTerms(**liquidity.model_dump(exclude={"days"})),
            tuple(StressedWindow(**each.model_dump()) for each in self.stressed_windows),
            BacktestTerms(self.backtests.days, self.backtests.pnl),
            self.classes,
            reverse_stresses=tuple(ReverseStress(**each.model_dump()) for each in self.reverse_stress),
        )
