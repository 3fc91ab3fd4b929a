"""Sums per book: exact, the same for every cut, each trade counted once."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from desk import EURUSD, SPOT, MendedDesk
from hypothesis import given
from hypothesis import strategies as st
from valuations import OpenRun

from riskpipe.errors import Failure, InputError, Reason
from riskpipe.kernels.sums import LARGEST_LIMB, to_floats
from riskpipe.measures.summed_columns import Summed
from riskpipe.products.books import normal_book
from riskpipe.runs.aggregate import aggregates, book_pnl
from riskpipe.runs.book_totals import BookTotals
from riskpipe.runs.book_tree import ancestors, closed_nodes
from riskpipe.store.result_tables import write_result_stream
from riskpipe.valuation import book_sums as module
from riskpipe.valuation.book_sums import (
    BookSums,
    PartialFile,
    SumKey,
    SumPayload,
    Sums,
    read_sums,
    sum_partials,
)
from riskpipe.valuation.context import open_context
from riskpipe.valuation.run_block import BlockPayload, read_trades, run_block, value_block, void_block

OpenDesk = Callable[..., OpenRun]
Key = tuple[str, str, str, int]
STRESSES = 5


def _rows(n: int, seed: int = 1) -> list[dict[str, Any]]:
    draw = np.random.default_rng(seed)
    books = ["fx", "rates/usd", "rates/eur", "rates/eur/long"]
    return [
        {
            "trade_id": f"T{k:03d}",
            "book": books[int(draw.integers(4))],
            "quantity": float(draw.normal() * 10.0 ** draw.integers(-6, 9)),
            "currency": ["EUR", "USD"][int(draw.integers(2))],
        }
        for k in range(n)
    ]


def _files(run: OpenRun) -> tuple[PartialFile, ...]:
    return tuple(PartialFile(run_block(run.task(block)).outputs["partials"].path) for block in run.blocks)


def _sums(run: OpenRun, files: Iterable[PartialFile], range_bytes: int = 1 << 20) -> list[BookSums]:
    return list(read_sums(run.context, files, range_bytes))


def _values(ranges: Iterable[BookSums]) -> dict[Key, tuple[int, int, tuple[float, ...]]]:
    """(book, scenario set, measure, first column) -> trades, failed trades, sums."""
    return {
        (sums.books[k], *key): (
            int(found.trades[k]),
            int(found.failed_trades[k]),
            tuple(to_floats(found.limbs[[k]])[0].tolist()),
        )
        for sums in ranges
        for key, found in sums.sums.items()
        for k in np.flatnonzero(found.present)
    }


def test_sums_are_exact(open_desk: OpenDesk) -> None:
    """Within the last bit of math.fsum, which rounds once, over numbers of very different sizes."""
    rows = _rows(200)
    run = open_desk(rows, "partition.max_trades=200")
    found = _values(_sums(run, _files(run)))

    for book in {row["book"] for row in rows}:
        mine = [row for row in rows if row["book"] == book]
        rate = {"EUR": EURUSD, "USD": 1.0}
        expected = math.fsum(row["quantity"] * SPOT * rate[row["currency"]] for row in mine)
        trades, failed, (value,) = found[book, "base", "pv", 0]
        assert (trades, failed) == (len(mine), 0)
        assert value == pytest.approx(expected, rel=4e-16, abs=len(mine) * 2.0**-41)


@pytest.mark.parametrize("cut", ["max_trades=1", "max_trades=7", "max_trades=64"])
def test_no_cut_of_the_trades_changes_a_bit(cut: str, open_desk: OpenDesk, tmp_path: Any) -> None:
    from valuations import open_run, settings_at

    whole = open_desk(_rows(60), "partition.max_trades=60")
    expected = _values(_sums(whole, _files(whole)))
    settings = settings_at(
        tmp_path / "book",
        tmp_path / "cut",
        "measures=[pv, delta, gamma, vega, theta, bucketed_delta, stress]",
        f"partition.{cut}",
    )
    run = open_run(settings)
    files = list(_files(run))
    random.Random(3).shuffle(files)

    assert len(whole.blocks) == 1
    assert _values(_sums(run, tuple(files))) == expected


def test_no_tree_of_merges_changes_a_bit(open_desk: OpenDesk) -> None:
    run = open_desk(_rows(40), "partition.max_trades=3")
    files = _files(run)
    expected = _values(_sums(run, files))

    for width in (2, 5, 14):
        names = []
        for k in range(0, len(files), width):
            name = f"level-{width}-{k}"
            written = sum_partials(SumPayload(*run.folder.place, name, files[k : k + width]))
            assert written.path == run.folder.combined_file(name)
            names.append(PartialFile(written.path, sha256=written.sha256))
        assert _values(_sums(run, names)) == expected


def test_scenario_ranges_are_summed_where_they_belong(open_desk: OpenDesk, tmp_path: Any) -> None:
    from valuations import open_run, settings_at

    whole = open_desk(_rows(20), "partition.max_trades=20")
    expected = _values(_sums(whole, _files(whole)))
    settings = settings_at(tmp_path / "book", tmp_path / "cut", "measures=[pv, stress]", "partition.max_scenarios=2")
    run = open_run(settings)
    found = _values(_sums(run, _files(run)))

    assert len({key[3] for key in found if key[2] == "stress"}) > 1
    for book in {key[0] for key in expected}:
        pieces = sorted((key[3], value) for key, value in found.items() if key[0] == book and key[2] == "stress")
        joined = list(itertools.chain.from_iterable(value[2] for _, value in pieces))
        assert [first for first, _ in pieces] == list(
            itertools.accumulate([0, *(len(value[2]) for _, value in pieces[:-1])])
        )
        assert tuple(joined) == expected[book, "stress", "stress", 0][2]


def test_failed_trades_are_left_out_and_counted(open_desk: OpenDesk) -> None:
    rows = [
        {"trade_id": "A", "book": "x", "quantity": 2.0},
        {"trade_id": "B", "book": "x", "quantity": 5.0, "behaviour": "is nan"},
        {"trade_id": "C", "book": "x", "quantity": 7.0, "behaviour": "nan below 60"},
        {"trade_id": "D", "book": "y", "behaviour": "raises when priced"},
    ]
    run = open_desk(rows)
    found = _values(_sums(run, _files(run)))

    assert found["x", "base", "pv", 0] == (3, 1, (9 * SPOT * EURUSD,))
    trades, failed, pnl = found["x", "stress", "stress", 0]
    assert (trades, failed) == (3, 2)
    np.testing.assert_allclose(pnl, [-125.0, 0.0, 50.0, 25.0, 0.0], rtol=1e-12)
    assert found["y", "base", "pv", 0][:2] == (1, 1)
    assert not any(measure in ("delta", "gamma") for _, _, measure, _ in found), "they do not add up over spots"


def test_a_measure_that_does_not_apply_is_no_failure(open_desk: OpenDesk) -> None:
    run = open_desk(_rows(5))

    assert {key[0]: value[1] for key, value in _values(_sums(run, _files(run))).items() if key[2] == "vega"}
    assert all(value[1] == 0 for value in _values(_sums(run, _files(run))).values())


def test_retried_trades_count_once(open_desk: OpenDesk) -> None:
    """A block with two failed trades, and the part that repeats them with mended code."""
    rows = [
        {"trade_id": "A", "book": "x", "quantity": 2.0},
        {"trade_id": "B", "book": "x", "quantity": 5.0, "behaviour": "raises when priced"},
        {"trade_id": "C", "book": "y", "quantity": 7.0, "behaviour": "is nan"},
    ]
    run = open_desk(rows)
    (block,) = run.blocks
    first = run_block(run.task(block)).outputs["partials"].path
    open_context(*run.folder.place).products["desk"] = MendedDesk()  # type: ignore[index]
    again = run_block(run.task(block.part((1, 2)))).outputs["partials"].path

    found = _values(_sums(run, (PartialFile(first), PartialFile(again, repeats=True))))

    assert found["x", "base", "pv", 0] == (2, 0, (7 * SPOT * EURUSD,))
    assert found["y", "base", "pv", 0] == (1, 0, (7 * SPOT * EURUSD,))


def test_retried_trades_that_fail_again_count_once(open_desk: OpenDesk) -> None:
    rows = [{"trade_id": "A", "quantity": 2.0}, {"trade_id": "B", "behaviour": "is nan"}]
    run = open_desk(rows)
    (block,) = run.blocks
    first = run_block(run.task(block)).outputs["partials"].path
    again = run_block(run.task(block.part((1,)))).outputs["partials"].path

    found = _values(_sums(run, (PartialFile(first), PartialFile(again, repeats=True))))

    assert found["desk/one", "base", "pv", 0] == (2, 1, (2 * SPOT * EURUSD,))


def test_void_block_counts_its_trades_as_failed(open_desk: OpenDesk) -> None:
    run = open_desk(_rows(9), "partition.max_trades=3")
    files = [PartialFile(run_block(run.task(b)).outputs["partials"].path) for b in run.blocks[1:]]
    task = BlockPayload(*run.folder.place, run.blocks[0])
    lost = void_block(task, Failure(Reason.WORKER_LOST, "died")).outputs["partials"].path

    found = _sums(run, (PartialFile(lost, void=True), *files))

    for measure, width in (("pv", 1), ("stress", STRESSES)):
        mine = [value for key, value in _values(found).items() if key[2] == measure]
        assert sum(trades for trades, _, _ in mine) == 9
        assert sum(failed for _, failed, _ in mine) == 3
        assert {len(values) for _, _, values in mine} == {width}


limbs = st.lists(st.integers(-(2**60), 2**60), min_size=6, max_size=6)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), limbs, st.integers(0, 9)), min_size=1, max_size=8))
def test_partial_sums_survive_their_table(parts: list[tuple[str, list[int], int]]) -> None:
    books = BookSums(("a", "b"))
    for k, (book, values, trades) in enumerate(parts):
        row = ("a", "b").index(book)
        sums = books.sums[SumKey("stress", "stress", k)] = Sums.empty(2, 2)
        sums.present[row] = True
        sums.trades[row], sums.failed_trades[row] = trades, trades // 2
        sums.limbs[row] = np.array(values, np.int64).reshape(3, 2)

    again = BookSums(("a", "b"))
    again.add(books.table())

    assert again.sums.keys() == books.sums.keys()
    for key, value in books.sums.items():
        for name in ("present", "trades", "failed_trades", "limbs"):
            np.testing.assert_array_equal(getattr(again.sums[key], name), getattr(value, name))


def test_a_book_that_has_several_rows_in_a_table_gets_all_of_them() -> None:
    once = _one("x", 5)
    twice = BookSums(("w", "x"))

    twice.add(pa.concat_tables([once, once, once]))

    (sums,) = twice.sums.values()
    assert sums.present.tolist() == [False, True]
    assert sums.trades.tolist() == [0, 3]
    assert sums.limbs[1].ravel().tolist() == [15, 15, 15]


def test_nothing_to_add_up(open_desk: OpenDesk) -> None:
    run = open_desk(_rows(1))

    assert _sums(run, []) == []
    empty = BookSums(("x",)).table()
    written = write_result_stream(run.store, "empty", "partials", [empty], run.context.spec.provenance)
    assert _sums(run, [PartialFile(written.path)]) == []


def _one(book: str, limb: int) -> pa.Table:
    books = BookSums((book,))
    sums = books.sums[SumKey("base", "pv", 0)] = Sums.empty(1, 1)
    sums.present[0], sums.trades[0] = True, 1
    sums.limbs[:] = limb
    return books.table()


@pytest.mark.parametrize("small", [0, 1 << 20])
def test_ranges_of_books_change_nothing(small: int, open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that are held, and files of which each range reads its row groups; a range for every book."""
    run = open_desk(_rows(60), "partition.max_trades=7")
    expected = _values(_sums(run, _files(run)))
    monkeypatch.setattr(module, "_SMALL_BYTES", small)
    monkeypatch.setattr(module, "RANGE_BYTES", 1)
    monkeypatch.setattr("riskpipe.valuation.partial_sums.SUM_RANGE_BYTES", 1)

    ranges = list(read_sums(run.context, _files(run), 1))

    assert [sums.books for sums in ranges] == [("fx",), ("rates/eur",), ("rates/eur/long",), ("rates/usd",)]
    assert [sums.next_book for sums in ranges] == ["rates/eur", "rates/eur/long", "rates/usd", None]
    assert _values(ranges) == expected
    written = sum_partials(SumPayload(*run.folder.place, "ranges", _files(run)))
    assert _values(_sums(run, [PartialFile(written.path)], 1)) == expected


def test_blocks_write_their_sums_a_range_of_books_after_the_other(open_desk: OpenDesk) -> None:
    run = open_desk(_rows(60), "partition.max_trades=60")
    (block,) = run.blocks
    trades, rows = read_trades(run.context, block)
    made = value_block(run.context, block, trades, rows).partials

    (whole,), pieces = made(), list(made(range_bytes=1))

    assert [piece.column("book").unique().to_pylist() for piece in pieces] == [
        ["fx"], ["rates/eur"], ["rates/eur/long"], ["rates/usd"]
    ]  # fmt: skip
    order = [("book", "ascending"), ("measure", "ascending"), ("first", "ascending")]
    assert pa.concat_tables(pieces).sort_by(order).equals(whole.sort_by(order))


def test_block_without_additive_measures_has_its_file_all_the_same(open_desk: OpenDesk, tmp_path: Any) -> None:
    from valuations import open_run, settings_at

    open_desk(_rows(3))
    run = open_run(settings_at(tmp_path / "book", tmp_path / "delta", "measures=[delta]"))

    (file,) = _files(run)

    assert _sums(run, (file,)) == []
    written = sum_partials(SumPayload(*run.folder.place, "only", (file,)))
    assert _sums(run, [PartialFile(written.path)]) == []


def test_a_sum_out_of_range_is_refused() -> None:
    books = BookSums(("w", "x"))
    books.add(_one("w", 1))
    books.add(_one("x", LARGEST_LIMB - 1))

    with pytest.raises(InputError, match="the sum of pv over book 'x' is out of range"):
        books.add(pa.concat_tables([_one("w", 1), _one("x", LARGEST_LIMB - 1)]))


# -- aggregates


def test_ancestors() -> None:
    assert list(ancestors("rates/usd")) == [(0, ""), (1, "rates"), (2, "rates/usd")]
    assert list(ancestors("fx")) == [(0, ""), (1, "fx")]
    assert list(ancestors("")) == [(0, "")]


def test_every_level_of_the_book_tree(open_desk: OpenDesk) -> None:
    rows = [
        {"trade_id": "A", "book": "rates/usd", "quantity": 1.0},
        {"trade_id": "B", "book": "rates/eur", "quantity": 2.0},
        {"trade_id": "C", "book": "rates", "quantity": 4.0},
        {"trade_id": "D", "book": "fx", "quantity": 8.0},
        {"trade_id": "E", "book": "fx", "quantity": 16.0, "behaviour": "is nan"},
        {"trade_id": "F", "book": "lost", "behaviour": "is nan"},
    ]
    run = open_desk(rows)
    table = _aggregates(run, _sums(run, _files(run)))
    value = SPOT * EURUSD

    pv = {(row["level"], row["book"]): row for row in table.to_pylist() if row["measure"] == "pv"}
    assert {key: row["value_base"] for key, row in pv.items()} == {
        (0, ""): 15 * value, (1, "fx"): 8 * value, (1, "lost"): None, (1, "rates"): 7 * value,
        (2, "rates/eur"): 2 * value, (2, "rates/usd"): value,
    }  # fmt: skip
    assert (pv[0, ""]["trades"], pv[0, ""]["failed_trades"]) == (6, 2)
    assert (pv[1, "rates"]["trades"], pv[1, "rates"]["failed_trades"]) == (3, 0)
    stress = [row for row in table.to_pylist() if row["measure"] == "stress" and row["level"] == 0]
    assert [row["scenario"] for row in stress] == ["half", "rates", "up", "euro", "vol"]
    np.testing.assert_allclose([row["value_base"] for row in stress], [-937.5, 0.0, 375.0, 187.5, 0.0], rtol=1e-12)


def _aggregates(run: Any, ranges: list[BookSums]) -> pa.Table:
    return pa.concat_tables(aggregates(run.context.spec, run.context.scenarios, _totals(run, ranges)))


def _totals(run: Any, ranges: list[BookSums]) -> BookTotals:
    return BookTotals(run.context.scenarios, ranges)


PV = Summed("base", "pv")
NAMES = st.text("a-/ 0", min_size=1, max_size=6).map(normal_book)


@given(st.sets(NAMES, min_size=1, max_size=12), st.integers(1, 4))
def test_the_tree_is_the_same_in_whatever_ranges_its_books_come(books: set[str], size: int) -> None:
    """Also where a name continues another with a character before the slash, so that a node stays open over others."""
    ordered = sorted(books)
    ranges = []
    for start in range(0, len(ordered), size):
        some = tuple(ordered[start : start + size])
        sums = BookSums(some, ordered[start + size] if start + size < len(ordered) else None)
        for book in some:
            sums.add(_one(book, 1 + ordered.index(book)))
        ranges.append(sums)
    expected: dict[str, list[int]] = {}
    for k, book in enumerate(ordered):
        for _, path in ancestors(book):
            expected.setdefault(path, []).append(k + 1)

    found = list(closed_nodes(ranges, lambda what: 1))

    paths = [path for nodes in found for path in nodes.paths]
    assert len(paths) == len(set(paths))
    totals = {
        path: (int(nodes.sums[PV].trades[k]), int(nodes.sums[PV].limbs[k, 0, 0]))
        for nodes in found
        for k, path in enumerate(nodes.paths)
    }
    assert totals == {path: (len(terms), sum(terms)) for path, terms in expected.items()}


def test_pieces_of_the_aggregates_are_one_table(open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_desk(_rows(60), "partition.max_trades=7")
    whole = _aggregates(run, _sums(run, _files(run)))
    monkeypatch.setattr("riskpipe.runs.aggregate.ROWS_AT_A_TIME", 1)

    pieces = list(aggregates(run.context.spec, run.context.scenarios, _totals(run, _sums(run, _files(run), 1))))

    assert len(pieces) == len({(row["level"], row["book"]) for row in whole.to_pylist()}) == 6
    assert pa.concat_tables(pieces).equals(whole.combine_chunks())
    keys = [(row["level"], row["book"], row["measure"]) for row in whole.to_pylist()]
    assert keys == sorted(keys)


def test_pieces_of_the_vectors_of_books_are_one_table(open_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_desk(_rows(60), "partition.max_trades=7", "measures=[pv, stress]")
    whole = pa.concat_tables(book_pnl(run.context.spec, _totals(run, _sums(run, _files(run)))))
    monkeypatch.setattr("riskpipe.runs.aggregate._NUMBERS_AT_A_TIME", 1)

    pieces = list(book_pnl(run.context.spec, _totals(run, _sums(run, _files(run), 1))))

    keys = [(row["level"], row["book"], row["scenario_set"]) for row in whole.to_pylist()]
    assert keys == sorted(keys)
    assert len(pieces) == len({key[:2] for key in keys}) == 6
    assert pa.concat_tables(pieces).equals(whole.combine_chunks())


def test_scenarios_that_were_cut_are_put_together_in_the_aggregates(open_desk: OpenDesk, tmp_path: Any) -> None:
    from valuations import open_run, settings_at

    open_desk(_rows(20))
    tables = []
    for number, cut in enumerate(("max_scenarios=1000", "max_scenarios=2")):
        run = open_run(
            settings_at(tmp_path / "book", tmp_path / str(number), "measures=[pv, stress]", f"partition.{cut}")
        )
        tables.append(_aggregates(run, _sums(run, _files(run), 1)).drop(["run_id"]))

    assert tables[0].equals(tables[1])


def test_tail_measures_are_of_the_summed_vector(sample_history: tuple[Any, BookSums]) -> None:
    """VaR and ES of the sum, not sums of VaRs."""
    run, sums = sample_history
    table = _aggregates(run, [sums])

    (found,) = sums.sums.values()
    total = to_floats(found.limbs).sum(axis=0)
    losses = np.sort(-total)
    rows = {row["measure"]: row for row in table.to_pylist() if row["level"] == 0 and row["scenario_set"]}
    assert rows["var_99"]["value_base"] == losses[math.ceil(0.99 * len(losses)) - 1]
    worst = 0.025 * len(losses)
    beyond = losses[math.ceil(0.975 * len(losses)) :]
    rest = losses[math.ceil(0.975 * len(losses)) - 1]
    expected = (beyond.sum() + (worst - len(beyond)) * rest) / worst
    assert rows["es_97_5"]["value_base"] == pytest.approx(expected, rel=1e-12)
    assert {row["scenario_set"] for row in rows.values()} == {"historical"}


@pytest.fixture
def sample_history(tmp_path: Any) -> tuple[Any, BookSums]:
    from types import SimpleNamespace

    from riskpipe.market.scenarios import ScenarioSetBuilder
    from riskpipe.market.snapshot import MarketSnapshot

    table = pa.table({"factor": ["spot:A"], "kind": ["spot"], "name": ["A"], "currency": ["USD"], "value": [1.0]})
    from riskpipe.market.point_table import MARKET_SCHEMA

    snapshot = MarketSnapshot.from_table(pa.Table.from_pylist(table.to_pylist(), MARKET_SCHEMA), 20_000)
    builder = ScenarioSetBuilder(snapshot)
    for k in range(500):
        builder.add(f"2024-01-{k}", "historical", np.array([0]), np.array([1.0 + k / 1000]))
    draw = np.random.default_rng(9)
    sums = BookSums(("a/x", "a/y", "b"))
    vectors = sums.sums[SumKey("historical", "historical_var", 0)] = Sums.empty(3, 500)
    vectors.present[:], vectors.trades[:] = True, 3
    vectors.limbs[:, 1] = draw.integers(-(2**30), 2**30, (3, 500))
    from datetime import date

    spec = SimpleNamespace(as_of=date(2026, 11, 20), run_id="r")
    return SimpleNamespace(context=SimpleNamespace(spec=spec, scenarios=builder.build())), sums
