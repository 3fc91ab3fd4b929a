"""The same inputs give the same bits, however the work is cut and whoever does it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import assert_same_bits, published
from selections import one_in

from riskpipe.measures.catalogue import valuation_measures
from riskpipe.measures.measure_names import CROSS_GAMMA, MEASURES
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.workflows.run import run

ALL_MEASURES = (
    f"measures=[{', '.join(m for m in MEASURES if m != CROSS_GAMMA)}]",
    "risk.monte_carlo.scenarios=40",
)

CUTS = {
    "one block a product": (),
    "few trades": ("partition.max_trades=23",),
    "few scenarios": ("partition.max_scenarios=17", "partition.max_trades=60"),
    "little memory": ("partition.max_memory=200KiB",),
    "one worker": ("cluster.kind=local", "cluster.workers=1", "partition.max_trades=31"),
    "two workers": ("cluster.kind=local", "cluster.workers=2", "partition.max_trades=40"),
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory, small_book) -> Path:
    from riskpipe.config import load_settings

    output = tmp_path_factory.mktemp("reference")
    settings = load_settings(
        small_book / "riskpipe.yaml",
        assignments=("cluster.kind=serial", f"output={output}", *ALL_MEASURES),
        environment={},
    )
    status = run(settings, Selection(), observer=SilentObserver())
    assert status.state == "complete"
    return output


@pytest.mark.parametrize("cut", one_in(4, [name for name in CUTS if name != "one block a product"]))
def test_published_values_do_not_depend_on_the_cut(cut, reference, settings_of, recorder, tmp_path) -> None:
    status = run(settings_of(*ALL_MEASURES, *CUTS[cut]), Selection(), observer=recorder)

    assert status.state == "complete"
    assert status.blocks.planned > 7
    assert_same_bits(reference, tmp_path / "output")


@pytest.mark.slow
def test_published_values_do_not_depend_on_the_files(reference, book, settings_of, recorder, tmp_path) -> None:
    """Files of seven trades; some lack an optional column, some are of other types."""
    for file in sorted((book / "data" / "portfolio").rglob("*.parquet")):
        trades = pq.read_table(file, partitioning=None)
        file.unlink()
        for k in range(0, len(trades), 7):
            pq.write_table(_written_otherwise(trades.slice(k, 7), k // 7), file.with_stem(f"{file.stem}-{k:05}"))

    status = run(settings_of(*ALL_MEASURES, "partition.max_trades=23", book=book), Selection(), observer=recorder)

    assert status.state == "complete"
    assert_same_bits(reference, tmp_path / "output")


def _written_otherwise(trades: pa.Table, number: int) -> pa.Table:
    if number % 3 == 1:
        return trades.drop_columns(["counterparty"])
    if number % 3 == 2:
        k = trades.schema.get_field_index("book")
        return trades.set_column(k, "book", trades.column(k).cast(pa.large_string()).dictionary_encode())
    return trades


def test_every_trade_has_every_measure_once(reference, small_book) -> None:
    valuations = published(reference, "valuations")
    keys = list(zip(valuations.column("trade_id").to_pylist(), valuations.column("measure").to_pylist(), strict=True))

    assert len(set(keys)) == len(keys) == 400 * len(valuation_measures())


def test_rows_are_in_order(reference) -> None:
    for table in ("valuations", "sensitivities", "scenario_pnl"):
        rows = published(reference, table)
        keys = list(zip(rows.column("book").to_pylist(), rows.column("trade_id").to_pylist(), strict=True))
        assert keys == sorted(keys)
