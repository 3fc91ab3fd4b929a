"""A run's folder: where everything of it lies."""

from __future__ import annotations

from datetime import date
from typing import Any

from msgspec import Struct

from riskpipe.errors import StorageError
from riskpipe.store.filesystem import Store, checked_name
from riskpipe.store.layout import REVALUATIONS, RUNS, TRADE_COMPONENTS, day_name
from riskpipe.store.sealed import unsealed


class RunFolder(Struct, frozen=True):
    """A run in its output: where its files lie, relative to the store, and what there is of it.

    :param store: the output's. :param run_id: also the name of the directory: it is checked.
    """

    store: Store
    run_id: str

    def __post_init__(self) -> None:
        checked_name(self.run_id)

    @property
    def place(self) -> tuple[str, str]:
        """Root of the output and id of the run: all that a worker needs to find it."""
        return self.store.root, self.run_id

    def opened(self) -> bool:
        """Whether there is such a run: run.json is the first file that it gets."""
        return self.store.exists(self.run)

    def planned(self) -> bool:
        """Whether it has its plan, which is the last file to be put in place before blocks are valued."""
        return self.store.exists(self.plan)

    def described(self) -> dict[str, Any]:
        """run.json. :raises StorageError: it is missing or damaged."""
        try:
            found = unsealed(self.store.read_bytes(self.run))
            if "as_of" not in found:
                raise ValueError("it does not say which day the run is of")
        except ValueError as error:
            raise StorageError(f"cannot read {self.store.full_path(self.run)}: damaged ({error})") from error
        return found

    # -- paths

    @property
    def root(self) -> str:
        return f"{RUNS}/{self.run_id}"

    @property
    def run(self) -> str:
        return f"{self.root}/run.json"

    @property
    def config(self) -> str:
        return f"{self.root}/config.resolved.yaml"

    @property
    def plan(self) -> str:
        return f"{self.root}/plan.parquet"

    @property
    def inputs(self) -> str:
        return f"{self.root}/inputs.json"

    @property
    def market(self) -> str:
        return f"{self.root}/inputs/market.arrow"

    @property
    def scenarios(self) -> str:
        return f"{self.root}/inputs/scenarios.arrow"

    @property
    def limits(self) -> str:
        """The limits of books, as they were read."""
        return f"{self.root}/inputs/limits.json"

    @property
    def valuation(self) -> str:
        """What all blocks share (valuation.spec)."""
        return f"{self.root}/inputs/valuation.json"

    @property
    def trade_contents(self) -> str:
        """What every trade was, by digests (plan.trade_contents)."""
        return f"{self.root}/inputs/trade_contents.parquet"

    @property
    def reuse(self) -> str:
        """What is taken over of an earlier run, and why the rest is not (runs.reuse)."""
        return f"{self.root}/inputs/reuse.json"

    @property
    def reused_blocks(self) -> str:
        """Which trades of each block are taken over of which earlier blocks (valuation.taken_over)."""
        return f"{self.root}/inputs/reused_blocks.parquet"

    @property
    def reused_files(self) -> str:
        """The files of those earlier blocks, with their checksums."""
        return f"{self.root}/inputs/reused_files.parquet"

    @property
    def valued_with(self) -> tuple[str, ...]:
        """The large files of a run that were written with its plan: what blocks are valued with, or taken over by."""
        return self.market, self.scenarios, self.trade_contents, self.reused_blocks, self.reused_files

    @property
    def ledger(self) -> str:
        """The directory of the ledger's segments."""
        return f"{self.root}/ledger"

    @property
    def block_outputs(self) -> str:
        """The directory of all block outputs."""
        return f"{self.root}/blocks"

    def block_output(self, table: str, block_id: str) -> str:
        return f"{self.block_outputs}/{checked_name(table)}/{checked_name(block_id)}.parquet"

    @property
    def combined(self) -> str:
        """The directory of what is combined of blocks' outputs: sums, whole P&L vectors, corrections."""
        return f"{self.root}/combined"

    def combined_file(self, name: str) -> str:
        return f"{self.combined}/{checked_name(name)}.parquet"

    @property
    def trade_components(self) -> str:
        """Trades' components of figures of the tail (valuation.tail_components)."""
        return f"{self.root}/trade_components.parquet"

    @property
    def revaluations(self) -> str:
        """What books lose under the moves of `reverse_stress` (valuation.revaluation)."""
        return f"{self.root}/revaluations.parquet"

    @property
    def beside(self) -> dict[str, str]:
        """What analyses read beside a day's tables, where it is there: name -> path."""
        return {TRADE_COMPONENTS: self.trade_components, REVALUATIONS: self.revaluations}

    @property
    def blocks(self) -> str:
        return f"{self.root}/blocks.parquet"

    @property
    def failures(self) -> str:
        return f"{self.root}/failures.parquet"

    @property
    def checks(self) -> str:
        return f"{self.root}/checks.parquet"

    @property
    def quarantine(self) -> str:
        return f"{self.root}/quarantine.parquet"

    @property
    def summary(self) -> str:
        return f"{self.root}/summary.json"

    @property
    def report(self) -> str:
        return f"{self.root}/report.html"

    @property
    def freed(self) -> str:
        """What `runs gc` has freed of the run, and when."""
        return f"{self.root}/freed.json"

    @property
    def stop(self) -> str:
        """Asks whoever is at work on the run to drain (`riskpipe runs stop`)."""
        return f"{self.root}/stop"

    @property
    def log(self) -> str:
        return f"{self.root}/logs/run.jsonl"

    @property
    def staging(self) -> str:
        """The directory in which a publication is put together."""
        return f"{self.root}/publish"

    @property
    def merged(self) -> str:
        """The directory of files merged of many block outputs, in whose place they stand until the run is published."""
        return f"{self.staging}/merged"

    def merged_file(self, name: str) -> str:
        return f"{self.merged}/{checked_name(name)}.parquet"

    def staged_day(self, table: str, as_of: date) -> str:
        return f"{self.staging}/{checked_name(table)}/{day_name(as_of)}"
