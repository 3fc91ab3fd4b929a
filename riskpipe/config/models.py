"""The configuration as frozen values: every key, its type, its default and what it means."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    WithJsonSchema,
    create_model,
    model_validator,
)

from riskpipe.clusters.auto import Auto
from riskpipe.clusters.catalogue import CLUSTERS
from riskpipe.clusters.kind import ClusterKind, Sizing
from riskpipe.config.check_section import CheckSettings
from riskpipe.config.dates_section import DateSettings
from riskpipe.config.deadline_values import Duration, TimeOfDay
from riskpipe.config.gates_section import GateSettings
from riskpipe.config.market_section import MarketSettings
from riskpipe.config.risk_section import RiskSettings
from riskpipe.config.stress_section import StressSettings
from riskpipe.config.telling_section import LineageSettings, MetricsSettings, NotifySettings
from riskpipe.config.values import (
    RELATIVE_DAYS,
    AutoOrOff,
    CurrencyCode,
    Further,
    GroupName,
    Location,
    OneOf,
    Size,
    iso_date,
    no_repeats,
    pairs_once,
    unwanted,
    valuation_date,
)
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import Return
from riskpipe.measures.measure_names import EXPLAIN, MEASURES, PNL_SETS, SIMULATED, QuoteBumps
from riskpipe.plan.accounting import PublishRule


def _further_measures() -> Further:
    from riskpipe.measures.catalogue import known_families  # with all that makes numbers: for other names alone

    known = known_families()
    return known.further, tuple(known.broken.values())


Measure = Annotated[str, OneOf(MEASURES, _further_measures)]
ValuationDate = Annotated[
    date,
    BeforeValidator(valuation_date),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"enum": list(RELATIVE_DAYS)}]}),
]
GroupPair = Annotated[tuple[GroupName, GroupName], Field(strict=False)]
Day = Annotated[date, BeforeValidator(iso_date), WithJsonSchema({"type": "string", "format": "date"})]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
# Its CPU time for a block grows with its workers, and 1,000 leave it some room (docs/scale.md).
WORKERS_A_SCHEDULER = 1_000
Attempts = Annotated[int, Field(ge=0)]

# What changes a number or which numbers there are, apart from the inputs, which have their own hashes.
NUMBERS = ("as_of", "base_currency", "measures", "bumps", "history", "stress", "scenario_pnl", "market")


class Section(BaseModel):
    """Base of every section: frozen, no unknown keys, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class NamedHistory(Section):
    """A further set of historical scenarios: another file, or some days of one."""

    path: Location | None = Field(default=None, description="As inputs.history; unset: that one.")
    first: Day | None = Field(default=None, description="The first day whose move counts; unset: the first there is.")
    last: Day | None = Field(default=None, description="The last one; unset: the last there is.")

    @model_validator(mode="after")
    def _agree(self) -> NamedHistory:
        if self.first is not None and self.last is not None and self.last < self.first:
            raise unwanted("a last day that is not before the first")
        return self


def _not_taken(name: str) -> str:
    if name in TAKEN:
        raise unwanted(f"a name that no other scenario set has ({', '.join(TAKEN)} are taken)")
    return name


TAKEN = ("base", *PNL_SETS.values())
SetName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$"), AfterValidator(_not_taken)]


INPUT_PLACES = ("portfolio", "market", "history", "scenarios", "limits")
"""The keys of `inputs` that are paths; histories have more."""


class Inputs(Section):
    """Where the inputs are: paths relative to this file's directory, or URIs (s3://, gs://, abfs://, file://)."""

    portfolio: Location = Field(description="Directory or URI that holds <product>/*.parquet.")
    market: Location = Field(description="Market data of as_of, one row a risk-factor point (Parquet).")
    history: Location | None = Field(
        default=None,
        description="Daily history of the risk factors (Parquet); historical_var, monte_carlo_var and delta_gamma_var "
        "need it.",
    )
    histories: dict[SetName, NamedHistory] = Field(
        default_factory=dict,
        description="Further sets of historical scenarios by name, each with its own P&L vectors and figures.",
    )
    scenarios: Location | None = Field(
        default=None, description="Named stress scenarios (Parquet), for the measure stress."
    )
    limits: Location | None = Field(default=None, description="Limits of books (Parquet), for the table limit_checks.")
    market_date: Annotated[str, Field(pattern=r"^(footer|path|column:.+)$")] | None = Field(
        default=None,
        description="Where the market must say which day it is of: footer (the key riskpipe.as_of_date), path (a date "
        "in its path) or column:NAME; unset: what it says by itself.",
    )
    unknown_columns: Literal["warning", "error"] = Field(
        default="warning",
        description="Columns that nothing reads, such as one that is misspelt: error stops before anything is priced.",
    )
    extra_columns: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(no_repeats)] = Field(
        default=(),
        description="Columns that are known not to matter to prices: no warning names them, and those of trades are "
        "carried to the table trades.",
    )

    def located(self, absolute: Callable[[str], str]) -> Inputs:
        """With other places."""
        places = {name: getattr(self, name) for name in INPUT_PLACES}
        given = {name: absolute(place) for name, place in places.items() if place is not None}
        histories = {
            name: each if each.path is None else each.model_copy(update={"path": absolute(each.path)})
            for name, each in self.histories.items()
        }
        return self.model_copy(update={**given, "histories": histories})


class ResultSettings(Section):
    """What result tables hold besides numbers."""

    trade_columns: Annotated[tuple[str, ...], Field(strict=False), AfterValidator(no_repeats)] = Field(
        default=(), description="Columns of products, such as notional and strike, that the table trades has as well."
    )


class Bumps(Section):
    """Sizes of the shifts. delta and gamma are per unit; all other measures are the change for the shift."""

    spot: Positive = Field(default=0.001, description="Relative shift of a spot for delta and gamma: 0.001 is 0.1 %.")
    volatility: Positive = Field(
        default=0.01, description="Absolute shift of a lognormal volatility: 0.01 is one vol point."
    )
    normal_volatility: Positive = Field(
        default=0.0001, description="Absolute shift of a normal volatility (normal_vol): 0.0001 is one basis point."
    )
    rate: Positive = Field(default=0.0001, description="Absolute shift of a zero rate: 0.0001 is one basis point.")
    hazard: Positive = Field(default=0.0001, description="Absolute shift of a hazard rate: 0.0001 is one basis point.")
    bucketed_spot: Positive = Field(default=0.01, description="Relative shift of one spot for bucketed_delta.")
    quotes: QuoteBumps = Field(
        default="first_order",
        description="How a curve follows one of its quotes in bucketed_delta: first_order, by its derivative; "
        "rebootstrap: it is made anew.",
    )
    cross_gamma: Annotated[tuple[GroupPair, ...], Field(strict=False), AfterValidator(pairs_once)] = Field(
        default=(), description="Pairs of curves, surfaces and spots that cross_gamma is of, each as kind:name."
    )


class Partition(Section):
    """How the work is cut into blocks. The numbers do not depend on it; the smallest limit wins."""

    target_seconds: Positive = Field(default=2.0, description="Pricing seconds that the planner aims at per block.")
    max_trades: Count = Field(default=50_000, description="At most this many trades in a block.")
    max_scenarios: Count = Field(default=1024, description="At most this many scenarios in a block.")
    max_memory: Size = Field(default=512 * 2**20, description="At most this much projected memory of a block.")


class Cluster(Section):
    """Where the blocks are priced."""

    kind: Annotated[str, OneOf(CLUSTERS)] = Field(
        default=Auto.name, description=f"{'; '.join(f'{name}: {kind.summary}' for name, kind in CLUSTERS.items())}."
    )
    workers: Count = Field(
        default=2,
        description="Worker processes: as many are started (kinds local and kubernetes) or must be there (address).",
    )
    deadline: Positive | None = Field(
        default=None,
        description="Seconds that the whole run may take (kind kubernetes): as many workers as the plan's projected "
        "seconds need for it, between min_workers and max_workers. Unset: cluster.workers.",
    )
    min_workers: Count = Field(default=1, description="With deadline: at least so many worker processes.")
    max_workers: Count = Field(default=1000, description="With deadline: at most so many worker processes.")
    memory_limit: Size | None = Field(
        default=None,
        description="Memory of one worker; unset: this machine's memory divided among the workers (kind local), the "
        "pod's limit divided among its processes, or 2GiB (kind kubernetes).",
    )
    shards: Annotated[Count | None, BeforeValidator(lambda value: None if value == "auto" else value)] = Field(
        default=None,
        description="Clusters that share the run, each with a scheduler and a driver of its own (kinds local and "
        f"kubernetes); auto or unset: as many as leave each at most {WORKERS_A_SCHEDULER:,} workers.",
    )
    block_timeout: Positive | None = Field(
        default=None,
        description="Seconds that a block may take; then it is ended, retried (retry.timeout) and cut in two; one "
        "trade alone fails with TIMEOUT. Not for kind serial; unset: no limit.",
    )
    silent_seconds: Positive = Field(
        default=300.0,
        description="A worker without a sign of life for so long (stopped, on a frozen node, in code that keeps the "
        "interpreter's lock) is replaced, and its block counts as lost. Longer than any call that keeps that lock.",
    )
    price_per_core_hour: Positive | None = Field(
        default=None,
        description="What an hour of a worker's core costs, in whatever currency: `runs show` and the report then say "
        "what a run cost.",
    )

    @property
    def runs_on(self) -> ClusterKind:
        return CLUSTERS[self.kind]

    @property
    def sizing(self) -> Sizing:
        return Sizing(self.workers, self.deadline, self.min_workers, self.max_workers)

    def planned_workers(self, projected_seconds: float) -> int:
        """Worker processes for so many seconds of pricing on one worker."""
        return self.runs_on.planned_workers(self.sizing, projected_seconds)

    def options_of(self, kind: ClusterKind) -> Any:
        """What the key of the kind's own says; None: it has none."""
        return getattr(self, kind.name, None)

    def shards_of(self, workers: int) -> int:
        """How many clusters share `workers` worker processes; no more than there are workers."""
        if not self.runs_on.shardable:
            return 1
        if self.shards is None:
            return max(math.ceil(workers / WORKERS_A_SCHEDULER), 1)
        return min(self.shards, workers)


def with_keys_of(kinds: Iterable[ClusterKind]) -> type[Cluster]:
    """The section `cluster` with the keys that kinds have of their own."""
    keys: dict[str, Any] = {kind.name: kind.key for kind in kinds if kind.key is not None}
    return create_model("Cluster", __base__=Cluster, __doc__=Cluster.__doc__, **keys)


CLUSTER_SECTION = with_keys_of(CLUSTERS.values())
CLUSTER_SECTION.__qualname__ = "CLUSTER_SECTION"  # where unpickling, by a shard's driver, finds it


class Retry(Section):
    """How often a block is tried again, by what went wrong; pricing errors are never retried blindly."""

    worker_lost: Attempts = Field(default=3, description="Retries of a block whose worker died.")
    storage: Attempts = Field(default=5, description="Retries of a block that could not read or write its files.")
    out_of_memory: Literal["split", "fail"] = Field(
        default="split", description="split: a block out of memory is cut in two; fail: it fails."
    )
    timeout: Attempts = Field(default=1, description="Retries of a block that ran into cluster.block_timeout.")
    second_start: AutoOrOff = Field(
        default="auto",
        description="auto: a block that takes far longer than the run's pace lets expect is started a second time, on "
        "another worker, once nothing else is left to start, and the first result counts; off: it is waited for.",
    )
    second_start_factor: Annotated[float, Field(ge=1.0)] = Field(
        default=4.0, description="How many times the expected seconds a block may take before that."
    )
    second_start_seconds: Positive = Field(default=30.0, description="And the least seconds that it may take.")


class ScenarioPnl(Section):
    """Which scenario sets leave their P&L vectors per trade in the table scenario_pnl."""

    historical: bool = Field(default=True, description="Publish each trade's P&L under every day of history.")
    stress: bool = Field(default=True, description="Publish each trade's P&L under every named stress.")
    monte_carlo: bool = Field(default=False, description="Publish each trade's P&L under every simulated scenario.")
    delta_gamma: bool = Field(default=False, description="Publish each trade's P&L under the steps of delta_gamma_var.")


class History(Section):
    """How the moves of the past are applied to today's market."""

    returns: dict[str, Return] = Field(
        default_factory=dict,
        description="By glob over kind:name, the last that matches: absolute (today + after - before), relative or log "
        "(today x after / before; log wants them above zero). Without an entry as the kind moves.",
    )
    horizon_days: Count = Field(
        default=1,
        description="Dates of the history that a move spans: 10 is the move of two weeks, from every date that has one "
        "so many dates later. Moves over several days overlap.",
    )


class Settings(Section):
    """Configuration of riskpipe (riskpipe.yaml)."""

    as_of: ValuationDate = Field(description="Valuation date, YYYY-MM-DD; today or previous-business-day (dates).")
    dates: DateSettings = Field(
        default_factory=DateSettings, description="Which days are business days, and where it is which day."
    )
    base_currency: CurrencyCode = Field(default="USD", description="Currency that results are aggregated in.")
    inputs: Inputs = Field(description="Where the inputs are.")
    output: Location = Field(default="output", description="Directory or URI of the results.")
    measures: Annotated[tuple[Measure, ...], Field(min_length=1, strict=False), AfterValidator(no_repeats)] = Field(
        default=("pv",), description="What is computed for each trade."
    )
    bumps: Bumps = Field(default_factory=Bumps, description="Sizes of the shifts behind the sensitivities.")
    history: History = Field(default_factory=History, description="How the past moves today's market.")
    stress: StressSettings = Field(
        default_factory=StressSettings, description="Scenarios of the measure stress that need no file."
    )
    partition: Partition = Field(default_factory=Partition, description="How the work is cut into blocks.")
    cluster: Annotated[Cluster, GetPydanticSchema(lambda _, handler: handler(CLUSTER_SECTION))] = Field(
        default_factory=CLUSTER_SECTION, description="Workers that price the blocks."
    )
    retry: Retry = Field(default_factory=Retry, description="How often a failed block is tried again.")
    on_invalid: Literal["quarantine", "error"] = Field(
        default="quarantine",
        description="quarantine: invalid trades fail with a reason and the others go on; "
        "error: nothing is priced while a trade is invalid.",
    )
    warnings_as_errors: bool = Field(default=False, description="Refuse to price while `check` has warnings.")
    check: CheckSettings = Field(default_factory=CheckSettings, description="Which warnings the inputs give.")
    scenario_pnl: ScenarioPnl = Field(
        default_factory=ScenarioPnl, description="Which P&L vectors per trade are published."
    )
    results: ResultSettings = Field(
        default_factory=ResultSettings, description="What tables of results have besides numbers."
    )
    risk: RiskSettings = Field(default_factory=RiskSettings, description="What is made of the P&L vectors of books.")
    gates: GateSettings = Field(default_factory=GateSettings, description="Checks of a day before it is published.")
    deadline: TimeOfDay | None = Field(
        default=None,
        description="Time of day, in dates.time_zone, by which a run is to be published: the next one after it began.",
    )
    finish_within: Duration | None = Field(
        default=None, description="In place of deadline: so long after a session began (s, min, h), such as 45min."
    )
    too_late: Literal["go_on", "publish_partial"] = Field(
        default="go_on",
        description="go_on: a late run goes on; publish_partial: in time for the deadline no further block is started, "
        "and what is complete is published; the other trades fail with CANCELLED.",
    )
    notify: Annotated[tuple[NotifySettings, ...], Field(strict=False)] = Field(
        default=(), description="Who is told of a run."
    )
    metrics: MetricsSettings = Field(default_factory=MetricsSettings, description="Figures of a run for Prometheus.")
    lineage: LineageSettings = Field(default_factory=LineageSettings, description="OpenLineage events of a run.")
    publish: Annotated[str, OneOf(PublishRule)] = Field(
        default=PublishRule.COMPLETE.value,
        description="complete: publish a run once every block is done; always: partial runs too; never: none.",
    )
    reuse: AutoOrOff = Field(
        default="off",
        description="auto: a run takes over what has not changed since the last one of the day, as --since latest; "
        "off: only with --since.",
    )
    grace_seconds: Positive = Field(
        default=30.0, description="After SIGTERM or SIGINT, seconds for blocks in flight to finish."
    )
    lease_seconds: Positive = Field(
        default=60.0,
        description="A run's hold on the output lapses after so many seconds without a sign of life.",
    )
    market: MarketSettings = Field(
        default_factory=MarketSettings, description="Conventions: what turns factors into curves."
    )

    def conventions(self) -> Conventions:
        """What the market room needs to turn factors into curves, but for what files of `market.calendars` say."""
        return self.market.conventions(self.base_currency)

    @property
    def sha256(self) -> str:
        """Hash of what determines the numbers: date, measures, bumps, conventions; not paths or cluster."""
        content: dict[str, Any] = self.model_dump(mode="json", include=set(NUMBERS))
        if self.inputs.histories:
            windows = self.inputs.model_dump(mode="json", include={"histories"})["histories"]
            content["histories"] = {name: [each["first"], each["last"]] for name, each in windows.items()}
        priced = {"by_class", "classes"} if self.risk.by_class else set()
        if self.risk.liquidity_horizons is not None:
            priced |= {"classes", "liquidity_horizons"}
        if priced:
            content["risk"] = self.risk.model_dump(mode="json", include=priced)
        if set(SIMULATED) & set(self.measures):
            content["monte_carlo"] = self.risk.monte_carlo.model_dump(mode="json")
        for calendar in content["market"]["calendars"].values():
            del calendar["path"]
        if EXPLAIN in self.measures:
            content["explain_order"] = self.risk.explain.order
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
