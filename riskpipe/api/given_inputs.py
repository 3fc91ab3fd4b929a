"""Configuration and inputs that a program has in memory, brought to where a run finds them."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from msgspec import Struct

from riskpipe.config import Settings, load_settings
from riskpipe.errors import UsageError
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.parquet import write_parquet

TableLike = Any
"""A pyarrow Table, a pandas or Polars DataFrame, or what else exports Arrow streams (`__arrow_c_stream__`)."""
Tables = Mapping[str, TableLike]
"""Product -> its trades."""

GIVEN = "given"
"""The directory of an output in which tables lie that programs gave runs; each under a hash of its content."""
_PORTFOLIO = "portfolio"
_NAMES = (_PORTFOLIO, "market", "history", "scenarios", "limits")


class GivenInputs(Struct, frozen=True):
    """:param trades: product -> trades. :param others: the other inputs by their name in the configuration."""

    trades: Mapping[str, pa.Table]
    others: Mapping[str, pa.Table]

    @staticmethod
    def of(inputs: Mapping[str, TableLike | Tables] | None) -> GivenInputs:
        """:raises UsageError: no such input, or what is no table."""
        given = dict(inputs or {})
        unknown = sorted(set(given) - set(_NAMES))
        if unknown:
            raise UsageError(f"no input is called {', '.join(unknown)}: there are {', '.join(_NAMES)}")
        trades = given.pop(_PORTFOLIO, None)
        others = {name: as_table(table, name) for name, table in given.items()}
        return GivenInputs({} if trades is None else _by_product(trades), others)

    def put(self, store: Store, directory: str) -> dict[str, str]:
        """Writes what is not there yet; returns keys of the configuration and where the tables are."""
        places = {}
        if self.trades:
            names = {product: _digest(table) for product, table in sorted(self.trades.items())}
            root = f"{directory}/{hashlib.sha256(json.dumps(names).encode()).hexdigest()[:24]}"
            for product, table in self.trades.items():
                _write(store, f"{root}/{product}/part-000.parquet", table)
            places[f"inputs.{_PORTFOLIO}"] = store.full_path(root)
        for name, table in self.others.items():
            path = f"{directory}/{_digest(table)}/{name}.parquet"
            _write(store, path, table)
            places[f"inputs.{name}"] = store.full_path(path)
        return places


def _write(store: Store, path: str, table: pa.Table) -> None:
    if not store.exists(path):
        write_parquet(store, path, table.replace_schema_metadata(None))


def _digest(table: pa.Table) -> str:
    """Of columns, types and values."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as writer:
        writer.write_table(table.replace_schema_metadata(None).combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()[:24]


def as_table(found: TableLike, name: str) -> pa.Table:
    """:raises UsageError: it is no table."""
    if isinstance(found, pa.Table):
        return found
    if isinstance(found, pa.RecordBatch):
        return pa.Table.from_batches([found])
    if type(found).__module__.partition(".")[0] == "pandas":
        return pa.Table.from_pandas(found, preserve_index=False)
    if hasattr(found, "collect") and hasattr(found, "lazy"):  # a LazyFrame of Polars
        found = found.collect()
    if hasattr(found, "__arrow_c_stream__"):
        return pa.table(found)
    raise UsageError(f"{name}: a table of Arrow, pandas or Polars is wanted, got {type(found).__name__}")


def _by_product(trades: TableLike | Tables) -> dict[str, pa.Table]:
    if isinstance(trades, Mapping):
        return {product: as_table(table, product) for product, table in trades.items()}
    whole = as_table(trades, _PORTFOLIO)
    if "product" not in whole.column_names:
        raise UsageError(
            "portfolio: trades as product -> table are wanted, or one table with a column 'product'; columns that are "
            "null in all rows of a product are left out of it"
        )
    return dict(_split(whole))


def _split(whole: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    names = whole["product"].cast(pa.string())
    for product in pc.unique(names).to_pylist():
        rows = whole.filter(pc.equal(names, product)).drop_columns("product")
        yield product, rows.select([name for name in rows.column_names if rows[name].null_count < len(rows)])


def as_date(day: date | str | None) -> date | None:
    """:raises UsageError: it is no date."""
    if day is None or isinstance(day, date):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError as error:
        raise UsageError(f"{day!r} is no date: YYYY-MM-DD is wanted") from error


def given_settings(
    config: str | os.PathLike[str] | Mapping[str, Any] | None,
    as_of: date | str | None,
    inputs: GivenInputs,
    overrides: Mapping[str, Any],
    place: str | None = None,
) -> Settings:
    """The settings of a run whose inputs may be in memory.

    :param config: a mapping is the content of a file in the current directory.
    :param place: where the tables are put; None: into the output.
    :raises ConfigurationError: with every fault.
    """
    day = as_of.isoformat() if isinstance(as_of, date) else as_of
    settings = _assigned(overrides)
    if not (inputs.trades or inputs.others):
        return _loaded(config, day, settings)
    if place is None:
        waiting = {f"inputs.{name}": "given" for name in _given(inputs)}
        store, directory = open_store(_loaded(config, day, [*settings, *_texts(waiting)]).output), GIVEN
    else:
        store, directory = open_store(place), GIVEN
    return _loaded(config, day, [*settings, *_texts(inputs.put(store, directory))])


def _given(inputs: GivenInputs) -> list[str]:
    return [*([_PORTFOLIO] if inputs.trades else []), *inputs.others]


def _texts(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]


def _assigned(overrides: Mapping[str, Any]) -> list[str]:
    return [f"{key}={json.dumps(value, default=str)}" for key, value in _flat(overrides, "")]


def _flat(values: Mapping[str, Any], within: str) -> Iterator[tuple[str, Any]]:
    """Leaves by their dotted keys: a section that is given in part keeps the rest of it."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value


def _loaded(
    config: str | os.PathLike[str] | Mapping[str, Any] | None, as_of: str | None, assignments: list[str]
) -> Settings:
    if not isinstance(config, Mapping):
        return load_settings(config, as_of=as_of, assignments=assignments)
    with tempfile.TemporaryDirectory(prefix="riskpipe-config-") as name:
        directory = Path(name)
        file = directory / "riskpipe.yaml"
        file.write_text(yaml.safe_dump(dict(config)))
        found = load_settings(file, as_of=as_of, assignments=assignments)

        def here(location: str) -> str:
            inside = location.startswith(f"{directory}/")
            return os.path.abspath(location.removeprefix(f"{directory}/")) if inside else location

        places = {"inputs": found.inputs.located(here), "market": found.market.located(here)}
        return found.model_copy(update={**places, "output": here(found.output)})
