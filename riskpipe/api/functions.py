"""The functions that `import riskpipe` has: what the commands do, with tables of this process in and out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from riskpipe.api.given_inputs import GivenInputs, TableLike, Tables, as_date, given_settings
from riskpipe.config import Settings
from riskpipe.errors import UsageError
from riskpipe.plan.accounting import RunStatus, SilentObserver
from riskpipe.plan.selection import parse_selection
from riskpipe.results.published_tables import Published, PublishedTable
from riskpipe.results.query import answered
from riskpipe.runs.publication import Publication
from riskpipe.sample.writer import write_next_day, write_sample
from riskpipe.store.location import open_store
from riskpipe.workflows.check import CheckReport
from riskpipe.workflows.check import check as check_workflow
from riskpipe.workflows.plan import PlanReport
from riskpipe.workflows.plan import plan as plan_workflow
from riskpipe.workflows.run import run as run_workflow

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow.dataset as ds

    from riskpipe.plan.accounting import Observer

Inputs = Mapping[str, TableLike | Tables]
"""Input -> its table, or its tables by product."""
Config = str | Path | Mapping[str, Any] | None
"""A configuration file, its content, or None: $RISKPIPE_CONFIG, else riskpipe.yaml in the current directory."""


class ResultTable:
    """A published table, read when it is asked for rows. Made by `PublishedResults`."""

    def __init__(self, table: PublishedTable) -> None:
        self._table = table

    @property
    def name(self) -> str:
        return self._table.name

    @property
    def as_of(self) -> date | None:
        """The day; None: all days."""
        return self._table.as_of

    @property
    def schema(self) -> pa.Schema:
        return self._table.schema()

    def __len__(self) -> int:
        return self._table.rows

    def __repr__(self) -> str:
        return f"<{self.name} of {self.as_of or 'all days'}: {len(self):,} rows>"

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """All rows in the table's order, in pieces: memory does not grow with the table."""
        return self._table.batches(columns)

    def dataset(self) -> ds.Dataset:
        """A `pyarrow.dataset.Dataset` over the files, for filters and joins that read only what they need."""
        import pyarrow.dataset as ds

        return ds.dataset(self._table.local_paths(), format="parquet")

    def to_arrow(self, columns: Sequence[str] | None = None, filter: Any = None) -> pa.Table:
        """:param filter: a `pyarrow.compute` expression over columns."""
        return self.dataset().to_table(columns=None if columns is None else list(columns), filter=filter)

    def to_pandas(self, columns: Sequence[str] | None = None, filter: Any = None) -> pd.DataFrame:
        """See `to_arrow`."""
        return self.to_arrow(columns, filter).to_pandas()

    def to_polars(self) -> pl.LazyFrame:
        """A lazy frame over the files: `.collect()` reads what its query needs."""
        import polars as pl

        return pl.scan_parquet(self._table.local_paths())


class PublishedResults:
    """What is published in an output. Made by `results`."""

    def __init__(self, published: Published) -> None:
        self._published = published

    @property
    def days(self) -> tuple[date, ...]:
        """Ascending."""
        return self._published.days

    def tables(self, as_of: date | str | None = None) -> tuple[str, ...]:
        """Names of a day's tables, by default of the latest."""
        return self._published.tables(as_date(as_of))

    def table(self, name: str, as_of: date | str | None = None) -> ResultTable:
        """A table of a day, by default of the latest; nothing is read yet.

        :raises UsageError: there is none of that name or day.
        """
        return ResultTable(self._published.table(name, as_date(as_of)))

    def all_days(self, name: str) -> ResultTable:
        """A table's rows of every day."""
        found = self._published.all_days(name)
        if not found.files:
            raise UsageError(f"no day has a table {name!r}: there are {', '.join(self._published.every_table())}")
        return ResultTable(found)

    def sql(self, query: str, as_of: date | str | None = None) -> pa.Table:
        """The answer to one SELECT, as `riskpipe sql` gives it; needs DuckDB."""
        with answered(self._published, query, as_date(as_of)) as reader:
            return reader.read_all()


class Prices:
    """What trades came to: the tables of a run that left nothing behind. Made by `price`.

    :ivar status: what became of every planned number. :ivar tables: by name, as they are published (docs/results.md).
    """

    def __init__(self, status: RunStatus, tables: Mapping[str, pa.Table], failures: pa.Table) -> None:
        self.status = status
        self.tables = tables
        self.failures = failures

    @cached_property
    def values(self) -> pa.Table:
        """The table `valuations`: a row a trade and measure."""
        return self.tables["valuations"]

    def table(self, name: str) -> pa.Table:
        """:raises UsageError: there is none of that name."""
        if name not in self.tables:
            raise UsageError(f"there is no table {name!r}: there are {', '.join(self.tables)}")
        return self.tables[name]


def run(
    config: Config = None,
    *,
    as_of: date | str | None = None,
    inputs: Inputs | None = None,
    select: Sequence[str] = (),
    resume: str = "auto",
    publish: str | None = None,
    observer: Observer | None = None,
    **overrides: Any,
) -> RunStatus:
    """Value the book and publish the results, as `riskpipe run` does.

    :param config: see `Config`.
    :param inputs: tables in place of files: `portfolio` (product -> its trades, or one table with a column `product`),
        `market`, `history`, `scenarios`, `limits`. Arrow, pandas and Polars. They are kept in the output, under a name
        made of their content, so that a run of the same tables goes on and a retry finds them.
    :param select: terms of `--select`. :param resume: auto, never or a run. :param publish: complete, always, never.
    :param observer: is told while the run goes on; None: nobody.
    :param overrides: keys of the configuration: `measures=["pv"]`, `cluster={"kind": "serial"}`.
    :return: what became of every planned number; `exit_code` is the command's.
    :raises RiskpipeError: what keeps the run from starting or going on, with every fault of configuration and inputs.
    """
    settings = given_settings(config, as_of, GivenInputs.of(inputs), overrides)
    how = Publication(publish)
    watching = observer or SilentObserver()
    return run_workflow(settings, parse_selection(list(select)), resume=resume, publication=how, observer=watching)


def plan(
    config: Config = None,
    *,
    as_of: date | str | None = None,
    inputs: Inputs | None = None,
    select: Sequence[str] = (),
    **overrides: Any,
) -> PlanReport:
    """Blocks, projected seconds, memory and what is missing, as `riskpipe plan` tells; nothing is priced.

    Parameters as of `run`. :raises RiskpipeError: inputs that cannot be used, with every fault.
    """
    with _passing(config, as_of, inputs, overrides) as settings:
        return plan_workflow(settings, parse_selection(list(select)))


def check(
    config: Config = None,
    *,
    as_of: date | str | None = None,
    inputs: Inputs | None = None,
    **overrides: Any,
) -> CheckReport:
    """Every fault of every input, as `riskpipe check` tells. Parameters as of `run`.

    :return: with `faults`, `errors` and `warnings`; faults of inputs raise nothing.
    :raises ConfigurationError: with every fault of the configuration.
    """
    with _passing(config, as_of, inputs, overrides) as settings, tempfile.TemporaryDirectory() as place:
        return check_workflow(settings, f"{place}/checks.parquet")


def price(
    trades: TableLike | Tables,
    market: TableLike,
    measures: Sequence[str] = ("pv",),
    *,
    as_of: date | str,
    history: TableLike | None = None,
    scenarios: TableLike | None = None,
    conventions: Mapping[str, Any] | None = None,
    **overrides: Any,
) -> Prices:
    """Value trades of this process: the rules and the bits of a run, in this process; nothing is left behind.

    :param trades: product -> its trades, or one table with a column `product`; columns as in docs/inputs.md.
    :param market: one row a risk-factor point. :param history, scenarios: for the measures that need them.
    :param conventions: the configuration's section `market`: what turns points into curves.
    :param overrides: other keys of the configuration, such as `base_currency="EUR"`.
    :raises RiskpipeError: inputs that nothing can be priced with, with every fault. A trade that alone is wrong has
        rows with its reason.
    """
    found = {"portfolio": trades, "market": market, "history": history, "scenarios": scenarios}
    with tempfile.TemporaryDirectory(prefix="riskpipe-price-") as place:
        given = {"cluster": {"kind": "serial"}, **overrides, "market": conventions or {}}
        given |= {"measures": list(measures), "output": place}
        tables = GivenInputs.of({name: table for name, table in found.items() if table is not None})
        settings = given_settings({}, as_of, tables, given)
        how = Publication("always")
        status = run_workflow(settings, parse_selection([]), resume="never", publication=how, observer=SilentObserver())
        published = Published(open_store(place))
        read = {name: published.table(name) for name in published.tables()}
        rows = {name: pa.Table.from_batches(table.batches(), table.schema()) for name, table in read.items()}
        failures = pq.read_table(f"{place}/runs/{status.run_id}/failures.parquet")
        return Prices(status, rows, failures)


def init(directory: str | Path, *, trades: int = 20_000, scenarios: int = 500, seed: int = 7) -> Path:
    """Write the sample book, market, history and two days' configurations, as `riskpipe init` does.

    :return: the configuration of the first day; `next_day.yaml` beside it is that of the second.
    :raises UsageError: the directory is not empty.
    """
    write_sample(Path(directory), trades=trades, scenarios=scenarios, seed=seed)
    write_next_day(Path(directory), trades=trades, scenarios=scenarios, seed=seed)
    return Path(directory) / "riskpipe.yaml"


def results(output: str | Path) -> PublishedResults:
    """What is published in an output, a directory or a URI; nothing but its list of days is read yet.

    :raises StorageError: the list is damaged.
    """
    return PublishedResults(Published(open_store(str(output))))


@contextmanager
def _passing(
    config: Config,
    as_of: date | str | None,
    inputs: Mapping[str, TableLike | Tables] | None,
    overrides: Mapping[str, Any],
) -> Iterator[Settings]:
    """Settings whose tables are gone after the body."""
    with tempfile.TemporaryDirectory(prefix="riskpipe-inputs-") as place:
        yield given_settings(config, as_of, GivenInputs.of(inputs), overrides, place)
