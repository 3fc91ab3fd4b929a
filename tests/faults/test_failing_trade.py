"""A trade that makes its product's code raise fails alone; a retry after the cause is mended does just that trade."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published import assert_same_bits, published

PRODUCT = textwrap.dedent(
    """
    import numpy as np
    from riskpipe.products.fx_forward import FxForward

    class DeskForward(FxForward):
        name = "desk_forward"
        version = 1

        def prepare(self, trades, model):
            {broken}
            return super().prepare(trades, model)
    """
)
RAISES = 'assert "FXF-BAD" not in trades.trade_ids.to_pylist(), "desk bug"'


@pytest.fixture
def desk_book(book: Path) -> Path:
    """The small book with its FX forwards as the desk's product, one of them with the name that breaks it."""
    source = book / "data" / "portfolio" / "fx_forward"
    target = source.with_name("desk_forward")
    source.rename(target)
    file = next(target.glob("*.parquet"))
    table = pq.read_table(file)
    ids = table.column("trade_id").to_pylist()
    ids[len(ids) // 2] = "FXF-BAD"
    table = table.set_column(table.schema.get_field_index("trade_id"), "trade_id", pa.array(ids))
    pq.write_table(table, file)
    return book


def riskpipe(book: Path, desk: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "riskpipe", *words, "-c", str(book / "riskpipe.yaml"), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(desk), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )


def test_one_trade_fails_alone_and_retry_does_just_it(desk, desk_book) -> None:
    output = desk_book / "output"
    (desk / "desk_product.py").write_text(PRODUCT.format(broken=RAISES))

    first = riskpipe(desk_book, desk, "run")

    assert first.returncode == 4, first.stdout + first.stderr
    status = json.loads(first.stdout)
    assert status["failures_by_reason"] == {"PRICING_ERROR": 1}
    assert status["published"]
    rows = published(output, "valuations")
    failed = duckdb.sql("select distinct trade_id, reason, message, value from rows where status = 'failed'").fetchall()
    assert failed == [("FXF-BAD", "PRICING_ERROR", "AssertionError: desk bug", None)]
    del rows

    (desk / "desk_product.py").write_text(PRODUCT.format(broken="pass"))
    second = riskpipe(desk_book, desk, "retry", "latest")

    assert second.returncode == 0, second.stdout + second.stderr
    status = json.loads(second.stdout)
    measures = len(status["numbers"]) and 9
    assert status["numbers"]["ok"] + status["numbers"]["not_applicable"] >= measures
    assert (
        status["numbers"]["reused"] + status["numbers"]["ok"] + status["numbers"]["not_applicable"]
        == (status["numbers"]["planned"])
    )
    blocks = pq.read_table(next((output / "runs").glob("*/blocks.parquet"))).to_pylist()
    assert [b["trades"] for b in blocks if b["parent_block_id"] is not None] == [1]

    clean = desk_book / "clean"
    third = riskpipe(desk_book, desk, "run", "--set", f"output={clean}")
    assert third.returncode == 0
    assert_same_bits(output, clean)
