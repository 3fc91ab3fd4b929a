"""The plan as a file: what went in comes out, in order, by index and by id."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from defaults import LIMITS
from msgspec.structs import asdict, replace
from plans import block, header, stored

from riskpipe.errors import InputError
from riskpipe.plan.block import BLOCK_ID_LENGTH, Block, digest_id, digest_ids
from riskpipe.plan.partition import Limits, ScenarioRange
from riskpipe.plan.piece_files import SurveyedRows
from riskpipe.plan.planned_blocks import PlanTotals, block_tables
from riskpipe.plan.stored_plan import (
    BLOCKS_PER_ROW_GROUP,
    HEADER_KEY,
    PLAN_VERSION,
    SCHEMA,
    StoredPlan,
    write_plan,
)
from riskpipe.store.portfolio import TradeFile
from riskpipe.store.trade_rows import FileRows

BLOCKS = [block(k, trades=k + 1, measures=("pv", "vega")[: 1 + k % 2]) for k in (5, 3, 9, 0)]


@pytest.fixture
def plan(tmp_path: Path) -> StoredPlan:
    return stored(tmp_path / "plan.parquet", BLOCKS)


def test_round_trip(plan: StoredPlan) -> None:
    assert len(plan) == 4
    assert [found for _, found in plan.blocks()] == BLOCKS
    assert [index for index, _ in plan.blocks()] == [0, 1, 2, 3]
    assert [plan.block(k) for k in range(4)] == BLOCKS


def test_some_blocks(plan: StoredPlan) -> None:
    wanted = np.array([False, True, False, True])

    assert list(plan.blocks(wanted)) == [(1, BLOCKS[1]), (3, BLOCKS[3])]
    assert list(plan.blocks(np.zeros(4, np.bool_))) == []


def test_lookup_by_id(plan: StoredPlan) -> None:
    for k, found in enumerate(BLOCKS):
        assert plan.index_of(found.block_id) == k
        assert plan.id_at(k) == found.block_id
    for other in ("f" * 24, "0" * 23 + "1", "", "0", BLOCKS[0].block_id + "0"):
        assert plan.index_of(other) is None


def test_beyond_the_last(plan: StoredPlan) -> None:
    with pytest.raises(IndexError, match="block 4 of 4"):
        plan.block(4)


def test_header(tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    written = header(selection=[["book:a", "trade:b"]], totals={"trades": 3}, cost_factors={"bond": 2.0})
    write_plan(str(path), [], lambda: written)

    found = StoredPlan(str(path))

    assert len(found) == 0
    assert found.header == written
    assert list(found.blocks()) == []
    assert found.index_of("0" * 24) is None
    assert json.loads(pq.read_metadata(path).metadata[HEADER_KEY.encode()])["as_of"] == "2026-11-20"


def test_the_header_is_asked_for_when_the_blocks_are_known(tmp_path: Path) -> None:
    order: list[str] = []

    def tables() -> object:
        for k in range(3):
            order.append(f"table {k}")
            yield SCHEMA.empty_table()

    def late() -> object:
        order.append("header")
        return header()

    write_plan(str(tmp_path / "plan.parquet"), tables(), late)  # type: ignore[arg-type]

    assert order == ["table 0", "table 1", "table 2", "header"]


def test_a_file_that_is_no_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    pq.write_table(SCHEMA.empty_table(), path)

    with pytest.raises(InputError, match="is not a plan of riskpipe"):
        StoredPlan(str(path))


def test_a_plan_from_the_future(tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    write_plan(str(path), [], lambda: header(version=PLAN_VERSION + 1))

    with pytest.raises(InputError, match="newer riskpipe"):
        StoredPlan(str(path))


def test_a_plan_of_the_first_version(tmp_path: Path) -> None:
    """It had a seed a block, and other names for two hashes."""
    path = tmp_path / "plan.parquet"
    rows = [{name: found.to_json()[name] for name in SCHEMA.names} for found in BLOCKS]
    table = pa.Table.from_pylist(rows, SCHEMA).append_column("seed", pa.array(range(4)))
    given = header(version=1)
    old = asdict(given)
    old["market_sha256"], old["scenarios_sha256"] = old.pop("snapshot_sha256"), old.pop("scenario_set_sha256")
    pq.write_table(table.replace_schema_metadata({HEADER_KEY: json.dumps(old)}), path)

    plan = StoredPlan(str(path))

    assert plan.header == given
    assert [found for _, found in plan.blocks()] == BLOCKS
    assert plan.block(2) == BLOCKS[2]
    assert Block.from_json({**BLOCKS[0].to_json(), "seed": 7}) == BLOCKS[0]


def test_several_row_groups(tmp_path: Path) -> None:
    n = BLOCKS_PER_ROW_GROUP + 10
    ids = [f"{(k * 7919) % 2**90:024x}" for k in range(n)]
    one = pa.Table.from_pylist([{**BLOCKS[0].to_json(), "measures": ["pv"]}], SCHEMA)
    table = one.take(pa.array(np.zeros(n, np.int64))).set_column(0, "block_id", pa.array(ids))
    pieces = (table.slice(k, 9_999) for k in range(0, n, 9_999))

    write_plan(str(tmp_path / "plan.parquet"), pieces, header)
    plan = StoredPlan(str(tmp_path / "plan.parquet"))

    assert pq.ParquetFile(plan.path).metadata.num_row_groups == 2
    for k in (0, 1, BLOCKS_PER_ROW_GROUP - 1, BLOCKS_PER_ROW_GROUP, n - 1):
        assert plan.index_of(ids[k]) == k
        assert plan.id_at(k) == plan.block(k).block_id == ids[k]
    wanted = np.zeros(n, np.bool_)
    wanted[[7, n - 2]] = True
    assert [index for index, _ in plan.blocks(wanted)] == [7, n - 2]


# -- blocks


def test_block_as_json_and_pickle() -> None:
    part = BLOCKS[0].part((501, 503))
    for found in (BLOCKS[0], part):
        assert Block.from_json(json.loads(json.dumps(found.to_json()))) == found
        assert pickle.loads(pickle.dumps(found)) == found


def test_parts_of_a_block() -> None:
    whole = block(4, trades=10, measures=("pv", "vega"))
    rows, first = whole.part((401, 405)), whole.range_part(400, 404, 4)

    assert (rows.row_start, rows.row_stop, rows.trades, rows.rows) == (401, 406, 2, (401, 405))
    assert (first.row_start, first.row_stop, first.trades, first.rows) == (400, 404, 4, None)
    assert rows.parent == first.parent == whole.block_id
    assert rows.numbers == 4
    assert rows.projected_seconds == pytest.approx(whole.projected_seconds / 5)
    ids = {b.block_id for b in (whole, rows, first, whole.part((401, 404)), whole.range_part(400, 410, 10))}
    assert len(ids) == 5, "the same rows once more are another block: its code may have changed"
    assert whole.part((401, 405)) == rows
    same = {"row_start": 0, "row_stop": 0, "trades": 0, "rows": None, "parent": None, "block_id": ""}
    assert replace(rows, projected_seconds=0.5, **same) == replace(whole, **same)


def test_many_ids_are_those_of_one_after_the_other() -> None:
    before = [
        ("fx", "a.parquet", 'é"1'),
        ("fx", "a.parquet", 'é"1'),
        ("fx", "b.parquet", "2"),
        ("fx", "a.parquet", "2"),
    ]
    ranges, after = [(0, 10), (10, 20), (0, 5), (2**40, 2**41)], (1, 500, ("pv", "historical_var"))
    expected = [digest_id(*parts, *range_, *after) for parts, range_ in zip(before, ranges, strict=True)]
    assert digest_ids(before, ranges, after) == expected


def test_digest_ids() -> None:
    ids = {digest_id(*parts) for parts in ([1, "a"], ["1", "a"], ["1a"], [["1", "a"]], [1, "a", None], [])}

    assert len(ids) == 6
    assert all(len(i) == BLOCK_ID_LENGTH and int(i, 16) >= 0 for i in ids)
    assert digest_id(1, (2, 3)) == digest_id(1, [2, 3])


# -- rows into blocks


def _survey(path: str, seconds: list[float], selected: list[bool]) -> SurveyedRows:
    n = len(seconds)
    mask = np.array(selected)
    cost = np.array([seconds, [s / 2 for s in seconds]]) * mask
    piece = FileRows(TradeFile("bond", path, n, 1, (0, n), ()), 0, n)
    books = np.arange(n, dtype=np.int32) // 2
    return SurveyedRows("bond", (piece,), mask, cost, np.full(n, 100.0) * mask, books)


RANGES = tuple(
    ScenarioRange(start, stop, measures, 1, np.zeros(1), 0)
    for start, stop, measures in ((0, 4, ("pv", "vega")), (4, 9, ("stress",)))
)


def _blocks(*surveys: SurveyedRows, limits: Limits = replace(LIMITS, max_trades=2)) -> tuple[list[Block], PlanTotals]:  # noqa: B008
    totals = PlanTotals()
    digests = {piece.file.path: "ab" * 12 for survey in surveys for piece in survey.pieces}
    tables = block_tables(surveys, RANGES, limits, digests, totals)
    rows = [row for table in tables for row in table.to_pylist()]
    return [Block.from_json({**row, "parent": None, "rows": None}) for row in rows], totals


def test_each_trade_range_under_each_scenario_range() -> None:
    blocks, totals = _blocks(_survey("a", [0.1] * 5, [True] * 5))

    assert sorted((b.row_start, b.row_stop, b.scenario_start, b.scenario_stop) for b in blocks) == [
        (0, 2, 0, 4), (0, 2, 4, 9), (2, 4, 0, 4), (2, 4, 4, 9), (4, 5, 0, 4), (4, 5, 4, 9),
    ]  # fmt: skip
    assert {b.measures for b in blocks} == {("pv", "vega"), ("stress",)}
    assert (totals.blocks, totals.trades, totals.numbers) == (6, 5, 15)
    assert totals.numbers == sum(b.numbers for b in blocks)
    assert totals.projected_seconds == pytest.approx(sum(b.projected_seconds for b in blocks))
    assert totals.longest_seconds == max(b.projected_seconds for b in blocks)
    assert totals.most_bytes == max(b.projected_bytes for b in blocks)
    assert totals.products["bond"]["blocks"] == 6
    assert totals.book_sums == 3 * 2, "of the one book of each block pv and vega; no P&L is in these ranges"


def test_rows_that_are_not_selected_make_no_blocks() -> None:
    selected = [False] * 4 + [True, False, True, False, True] + [False] * 3
    blocks, totals = _blocks(_survey("a", [0.1] * 12, selected), _survey("b", [0.1], [False]))

    assert totals.trades == 3
    for found in blocks:
        assert found.trades == sum(selected[found.row_start : found.row_stop]) > 0
    assert sum(b.trades for b in blocks if b.scenario_start == 0) == 3
    assert {b.path for b in blocks} == {"a"}


def test_files_of_the_same_content_have_blocks_of_their_own() -> None:
    blocks, _ = _blocks(_survey("a", [0.1] * 4, [True] * 4), _survey("b", [0.1] * 4, [True] * 4))

    assert {(b.path, b.row_start) for b in blocks} == {("a", 0), ("a", 2), ("b", 0), ("b", 2)}
    assert len({b.block_id for b in blocks}) == len(blocks) == 8


def test_a_block_goes_on_in_the_next_file() -> None:
    blocks, totals = _blocks(_survey("a", [0.1] * 3, [True] * 3), _survey("b", [0.1] * 2, [True] * 2))
    digests = {b.row_start: b.inputs for b in blocks}

    assert [(b.path, b.row_start, b.row_stop) for b in blocks if b.scenario_start == 0] == [
        ("a", 0, 2), ("a", 2, 4), ("b", 1, 2)
    ]  # fmt: skip
    assert totals.trades == 5
    assert digests[0] == digests[1] == "ab" * 12
    assert digests[2] == digest_id("ab" * 12, "ab" * 12), "it rests on both files"


def test_no_selected_trade_at_all() -> None:
    blocks, totals = _blocks(_survey("a", [0.1], [False]))

    assert blocks == []
    assert totals == PlanTotals()
