"""Result tables keep their contract: columns, footer, no NaN, a value exactly where the status is ok."""

from __future__ import annotations

import hashlib
import math
import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskpipe.errors import StorageError
from riskpipe.store import result_tables as tables
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.parquet import atomic_parquet, open_parquet, read_metadata, read_parquet, write_parquet
from riskpipe.store.result_tables import InvalidResultError, Provenance, conform, table_sink, write_result
from riskpipe.store.table_schemas import SCHEMAS, SORT_KEYS

# contracts.md, "Results", plus what was agreed since: aggregates.scenario, and the internal partials.
CONTRACT = {
    "valuations": "as_of_date, run_id, book, trade_id, product, measure, value, currency, value_base, "
    "status, reason, message, block_id",
    "sensitivities": "as_of_date, run_id, book, trade_id, product, factor, measure, shift, shift_type, "
    "value, currency, value_base, status, kind, name, tenor, days, strike",
    "factors": "as_of_date, run_id, factor, kind, name, currency, tenor, days, underlying_tenor, strike, strike_type, "
    "level, quoted",
    "trades": "as_of_date, run_id, book, trade_id, product, currency, maturity_date, counterparty, netting_set",
    "cashflows": "as_of_date, run_id, book, trade_id, product, leg, pay_date, currency, amount, kind, "
    "discount_factor, value",
    "trade_terms": "as_of_date, run_id, book, trade_id, product, terms, last_date",
    "scenario_pnl": "as_of_date, run_id, book, trade_id, product, scenario_set, pnl, status",
    "scenarios": "as_of_date, run_id, scenario_set, index, scenario, date",
    "book_pnl": "as_of_date, run_id, level, book, scenario_set, risk_class, pnl, trades, failed_trades",
    "var": "as_of_date, run_id, level, book, name, kind, confidence, horizon_days, scenario_set, risk_class, "
    "value_base, lower, upper, scenario, scenario_date",
    "var_components": "as_of_date, run_id, name, level, book, component_kind, component, component_base, "
    "marginal_base, incremental_base",
    "liquidity_es": "as_of_date, run_id, level, book, scenario_set, confidence, base_days, liquidity_horizon, es_base, "
    "value_base",
    "stressed_windows": "as_of_date, run_id, name, level, book, scenario_set, confidence, days, first_date, last_date, "
    "value_base, latest_base",
    "delta_gamma_var": "as_of_date, run_id, level, book, name, kind, confidence, horizon_days, delta_normal_base, "
    "value_base, monte_carlo_base, difference_base, mean_base, deviation_base, skewness, kurtosis",
    "reverse_stress": "as_of_date, run_id, scenario, factor, shift_type, shift, level, book, loss_base, distance, "
    "revalued_base, failed_trades",
    "worst_stress": "as_of_date, run_id, level, book, scenario, value_base, scenarios",
    "limit_checks": "as_of_date, run_id, book, measure, name, value_base, warning, limit, use, status",
    "pnl_explain": "as_of_date, run_id, previous_date, previous_run_id, level, book, trade_id, line, value_base",
    "backtests": "as_of_date, level, book, name, days, exceptions, kupiec_p, christoffersen_p, zone, spearman, "
    "kolmogorov_smirnov, pla_zone",
    "aggregates": "as_of_date, run_id, level, book, measure, scenario_set, scenario, value_base, trades, failed_trades",
    "failures": "run_id, block_id, trade_id, product, stage, reason, message, retryable",
    "blocks": "run_id, block_id, parent_block_id, attempt, product, trades, scenarios, status, reason, "
    "worker, host, queued_at, started_at, ended_at, queue_s, fetch_s, price_s, write_s, cpu_s, "
    "peak_rss_bytes, projected_bytes, projected_s, rows, bytes_in, bytes_out, engine_version",
    "reuse": "as_of_date, run_id, since_run_id, what, name, why, trades",
    "partials": "book, scenario_set, measure, first, trades, failed_trades, high, middle, low",
}
PROVENANCE = Provenance("20261120-193055-3f9a1c", date(2026, 11, 20), "c" * 64, "d" * 64, "0.1.0", "USD")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path))


def valuations(**changes: Any) -> pa.Table:
    columns: dict[str, Any] = {
        "as_of_date": [date(2026, 11, 20)] * 3,
        "run_id": [PROVENANCE.run_id] * 3,
        "book": ["fx", "fx", "rates"],
        "trade_id": ["t1", "t2", "t1"],
        "product": ["fx_forward"] * 3,
        "measure": ["pv"] * 3,
        "value": [1.5, None, -2.0],
        "currency": ["USD", "USD", "EUR"],
        "value_base": [1.5, None, -2.2],
        "status": ["ok", "failed", "ok"],
        "reason": [None, "NUMERICAL", None],
    }
    columns.update(changes)
    return pa.table(columns)


def test_columns_are_those_of_the_contract() -> None:
    assert {name: ", ".join(schema.names) for name, schema in SCHEMAS.items()} == CONTRACT


def test_sort_keys_begin_with_book_and_trade() -> None:
    for table, keys in SORT_KEYS.items():
        assert keys[:2] == ("book", "trade_id")
        assert set(keys) <= set(SCHEMAS[table].names)
        assert not any(SCHEMAS[table].field(key).nullable for key in keys)


def test_a_written_table_comes_back_with_its_footer(store: Store) -> None:
    written = write_result(store, "x/valuations.parquet", "valuations", valuations(), PROVENANCE)
    data = Path(store.root, written.path).read_bytes()
    assert (written.rows, written.bytes, written.sha256) == (3, len(data), hashlib.sha256(data).hexdigest())
    back = read_parquet(store, written.path)
    assert back.schema.equals(SCHEMAS["valuations"])
    assert back.select(["book", "value", "reason", "block_id"]).to_pylist()[1] == {
        "book": "fx", "value": None, "reason": "NUMERICAL", "block_id": None,
    }  # fmt: skip
    assert tables.metadata(store, written.path) == {
        "table": "valuations", "schema_version": "1", "run_id": PROVENANCE.run_id, "as_of_date": "2026-11-20",
        "config_sha256": "c" * 64, "inputs_sha256": "d" * 64, "engine_version": "0.1.0", "base_currency": "USD",
    }  # fmt: skip


def test_published_files_have_a_page_index_and_files_of_the_run_do_without(store: Store) -> None:
    with tables.table_sink(store, "published.parquet", "valuations", PROVENANCE) as sink:
        sink.write(valuations())
    write_result(store, "own.parquet", "valuations", valuations(), PROVENANCE)
    for name, indexed in (("published.parquet", True), ("own.parquet", False)):
        column = pq.read_metadata(Path(store.root, name)).row_group(0).column(6)
        assert (column.path_in_schema, column.has_column_index) == ("value", indexed)


@pytest.mark.parametrize(("rows", "codec"), [(10, "UNCOMPRESSED"), (2_000, "ZSTD")])
def test_small_files_of_the_run_alone_are_not_compressed(store: Store, rows: int, codec: str) -> None:
    data = pa.concat_tables([valuations()] * rows)
    write_result(store, "a.parquet", "valuations", data, PROVENANCE)
    tables.write_result_stream(store, "b.parquet", "valuations", [data, valuations()], PROVENANCE)
    write_parquet(store, "c.parquet", data)
    for name, count, expected in (("a", rows, codec), ("b", rows + 1, codec), ("c", rows, "ZSTD")):
        footer = pq.read_metadata(store.full_path(f"{name}.parquet"))
        assert footer.row_group(0).column(0).compression == expected
        assert read_parquet(store, f"{name}.parquet").num_rows == count * len(valuations())


@pytest.mark.parametrize(("transient", "scalars"), [(False, 1), (True, -7)])
def test_vectors_and_what_is_read_once_are_compressed_fast(store: Store, transient: bool, scalars: int) -> None:
    """Sums are not: they become less than half of their size. What pyarrow makes of each level tells which it was."""
    rng = np.random.default_rng(7)
    n, texts = 3_000, rng.integers(0, 1 << 40, (3_000, 2)).astype(str)
    columns = {
        "book": ["/".join(row) for row in texts],
        "pnl": (rng.integers(0, 999, (n, 8)) / 8.0).tolist(),
        "high": rng.integers(0, 999, (n, 8)).tolist(),
        "legs": [[{"rate": rate}] for rate in (rng.integers(0, 999, n) / 8.0).tolist()],
    }
    table = pa.table(columns)
    with atomic_parquet(store, "x.parquet", table.schema, transient=transient) as sink:
        sink.write(table)
    sizes = {}
    for level in (1, -7):
        pq.write_table(table, store.full_path("y.parquet"), compression="zstd", compression_level=level,
                       use_dictionary=["book"], write_page_checksum=True)  # fmt: skip
        sizes[level] = column_sizes(store, "y.parquet")

    found = column_sizes(store, "x.parquet")
    for name, level in {"book": scalars, "pnl": -7, "high": 1, "legs": 1}.items():
        assert sizes[-7][name] > 1.1 * sizes[1][name]
        assert found[name] == pytest.approx(sizes[level][name], rel=0.01), name
    assert read_parquet(store, "x.parquet").equals(table)


def column_sizes(store: Store, path: str) -> dict[str, int]:
    """Bytes of each column, which is zstd's."""
    group = pq.read_metadata(store.full_path(path)).row_group(0)
    columns = [group.column(k) for k in range(group.num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}
    return {column.path_in_schema.split(".")[0]: column.total_compressed_size for column in columns}


def test_dictionaries_are_read_as_strings(store: Store) -> None:
    rows = valuations()
    coded = rows.set_column(rows.schema.get_field_index("book"), "book", rows.column("book").dictionary_encode())
    write_result(store, "own.parquet", "valuations", coded, PROVENANCE)
    assert read_parquet(store, "own.parquet").schema.equals(SCHEMAS["valuations"])
    assert read_parquet(store, "own.parquet").column("book").to_pylist() == rows.column("book").to_pylist()


@pytest.mark.parametrize("table", sorted(SCHEMAS))
def test_every_table_survives_writing_and_reading_empty(store: Store, table: str) -> None:
    write_result(store, "x.parquet", table, SCHEMAS[table].empty_table(), PROVENANCE)
    assert read_parquet(store, "x.parquet").schema.equals(SCHEMAS[table])


def test_dictionaries_and_column_order_do_not_matter() -> None:
    data = valuations()
    shuffled = data.select(data.column_names[::-1])
    encoded = shuffled.set_column(shuffled.column_names.index("book"), "book", shuffled["book"].dictionary_encode())
    assert conform("valuations", encoded).equals(conform("valuations", data))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": [math.nan, None, 1.0]}, "valuations.value has NaN or infinity"),
        ({"value_base": [1.0, None, math.inf]}, "valuations.value_base has NaN or infinity"),
        ({"value": [None, None, 1.0]}, "exactly where status is ok"),
        ({"value": [1.0, 2.0, 1.0]}, "exactly where status is ok"),
        ({"value_base": [1.0, 2.0, 1.0]}, "value_base: a value where status is not ok"),
        ({"status": ["ok", "meh", "ok"]}, "status has 'meh'"),
        ({"book": ["fx", None, "rates"]}, "valuations.book has 1 nulls"),
        ({"value": ["a", None, "b"]}, "valuations.value"),
        ({"colour": ["r", "g", "b"]}, "has no column colour"),
    ],
)
def test_rows_that_break_the_contract_are_refused(store: Store, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResultError, match=message):
        write_result(store, "x.parquet", "valuations", valuations(**changes), PROVENANCE)
    assert os.listdir(store.root) == []


def test_a_missing_column_is_refused() -> None:
    with pytest.raises(InvalidResultError, match=r"valuations\.measure is missing"):
        conform("valuations", valuations().drop_columns("measure"))


@pytest.mark.parametrize("pnl", [[1.0, math.nan], [1.0, None]])
def test_lists_have_no_holes(pnl: list[float | None]) -> None:
    row = {
        "as_of_date": [date(2026, 11, 20)], "run_id": ["r"], "book": ["b"], "trade_id": ["t"],
        "product": ["p"], "scenario_set": ["history"], "pnl": pa.array([pnl], pa.list_(pa.float64())),
        "status": ["ok"],
    }  # fmt: skip
    with pytest.raises(InvalidResultError, match=r"scenario_pnl\.pnl has"):
        conform("scenario_pnl", pa.table(row))
    assert conform("scenario_pnl", pa.table({**row, "pnl": [[1.0, 2.0]]})).num_rows == 1


def test_a_body_that_fails_leaves_nothing(store: Store) -> None:
    def failing() -> None:
        with table_sink(store, "x.parquet", "valuations", PROVENANCE) as sink:
            sink.write(valuations())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert os.listdir(store.root) == []


def test_row_groups(store: Store) -> None:
    table = pa.table({"n": list(range(10))})
    with atomic_parquet(store, "x.parquet", table.schema, {"key": "value"}) as sink:
        sink.write(table, row_group_rows=4)
        sink.write(table.slice(0, 1))
        assert sink.bytes_so_far > 0
    with open_parquet(store, "x.parquet") as file:
        assert [file.metadata.row_group(g).num_rows for g in range(file.num_row_groups)] == [4, 4, 2, 1]
    assert read_metadata(store, "x.parquet") == {"key": "value"}


def test_truncated_and_foreign_files_are_named(store: Store) -> None:
    write_parquet(store, "x.parquet", pa.table({"n": list(range(1000))}))
    path = Path(store.root, "x.parquet")
    for content in (path.read_bytes()[:-9], b"not parquet", b""):
        path.write_bytes(content)
        with pytest.raises(StorageError, match=r"x\.parquet: truncated, or not a Parquet file"):
            read_parquet(store, "x.parquet")
