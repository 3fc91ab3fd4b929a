"""Which files make a day: whatever stands as it is and whatever is merged, the rows are the same in the same order."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from msgspec.structs import asdict
from published import assert_same_bits
from selections import examples, one_in

from riskpipe.config import Settings, load_settings
from riskpipe.plan.selection import Selection
from riskpipe.runs import day_parts as module
from riskpipe.runs.day_parts import Part, clear_staged, day_parts, standing
from riskpipe.store.filesystem import Store
from riskpipe.store.location import open_store
from riskpipe.store.parquet import read_parquet
from riskpipe.store.pieces import cuts_at_books, slices, write_piece
from riskpipe.store.result_tables import Provenance
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sorted_merge import Source
from riskpipe.store.stage import merge_part
from riskpipe.store.written_files import Key
from riskpipe.workflows.publish import publish
from riskpipe.workflows.run import run

DAY = date(2026, 11, 20)
PROVENANCE = Provenance("20261120-193055-3f9a1c", DAY, "c" * 64, "d" * 64, "0.1.0", "USD")
WIDTH = 50


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and pieces of a few rows."""
    monkeypatch.setattr(module, "PART_BYTES", 4_000)
    monkeypatch.setattr(module, "STANDS_FROM", 1)
    monkeypatch.setattr("riskpipe.store.pieces.LEAST_PIECE", 1)


def vectors(keys: list[Key]) -> pa.Table:
    numbers = np.random.default_rng(len(keys)).normal(size=(len(keys), WIDTH))
    return pa.table(
        {
            "as_of_date": pa.repeat(pa.scalar(DAY), len(keys)),
            "run_id": pa.repeat(PROVENANCE.run_id, len(keys)),
            "book": [book for book, _ in keys],
            "trade_id": [trade for _, trade in keys],
            "product": pa.repeat("fra", len(keys)),
            "scenario_set": pa.repeat("stress", len(keys)),
            "pnl": pa.array(list(numbers), pa.list_(pa.float64())),
            "status": pa.repeat("ok", len(keys)),
        }
    )


def written(store: Store, files: list[list[Key]], directory: str = "blocks") -> list[Source]:
    """A piece each."""
    found = []
    for number, keys in enumerate(files):
        rows = vectors(sorted(keys))
        piece = write_piece(store, f"{directory}/{number}.parquet", "scenario_pnl", rows, PROVENANCE)
        ends = (piece.first, piece.last)
        found.append(Source(piece.path, sha256=piece.sha256, rows=(0, piece.rows), bytes=piece.bytes, keys=ends))
    return found


def made(store: Store, parts: list[Part]) -> pa.Table:
    """The rows of the parts, one after the other."""
    tables = []
    for number, part in enumerate(parts):
        if part.linked:
            tables.append(read_parquet(store, part.sources[0].path))
            continue
        path = f"day/{number:03d}.parquet"
        merge_part(store, "scenario_pnl", part.sources, path, PROVENANCE)
        tables.append(read_parquet(store, path))
    return pa.concat_tables(tables)


def keys_of(table: pa.Table) -> list[Key]:
    return list(zip(table["book"].to_pylist(), table["trade_id"].to_pylist(), strict=True))


def trades(book: str, first: int, last: int) -> list[Key]:
    return [(book, f"T{number:03d}") for number in range(first, last)]


@pytest.mark.usefixtures("small")
def test_a_piece_stands_where_nobody_elses_rows_fall_into_it(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    files = [
        trades("a", 0, 20),
        trades("a", 20, 40),
        trades("b", 0, 20)[::2],
        trades("b", 0, 20)[1::2],
        trades("e", 0, 5),
    ]
    found = written(store, files)

    alone, rest = standing(store, found)
    parts = day_parts(store, alone, rest)

    assert alone == [found[0], found[1], found[4]]
    assert rest == [found[2], found[3]]
    assert [part.linked for part in parts] == [True, True, *[False] * (len(parts) - 3), True]
    assert len(parts) > 4  # the rows between are cut into ranges
    assert keys_of(made(store, parts)) == sorted(key for file in files for key in file)


@pytest.mark.usefixtures("small")
def test_two_small_books_in_one_piece_keep_nothing_between_them_from_standing(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    files = [
        trades("a", 0, 5) + trades("f", 0, 5),
        trades("b", 0, 20),
        trades("c", 0, 3) + trades("d", 0, 3),
        trades("d", 3, 20),
        trades("e", 0, 20)[::2],
        trades("e", 0, 20)[1::2],
    ]
    found = written(store, files)

    alone, rest = standing(store, found)
    parts = day_parts(store, alone, rest)

    assert alone == found[1:4]
    assert rest == [found[0], found[4], found[5]]
    assert [part.sources for part in parts if part.linked] == [(found[1],), (found[2],), (found[3],)]
    assert keys_of(made(store, parts)) == sorted(key for file in files for key in file)


@pytest.mark.usefixtures("small")
def test_rows_that_are_replaced_and_files_of_unknown_keys_are_merged(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    found = written(store, [trades("a", 0, 20), trades("b", 0, 20), trades("b", 7, 8)])
    replaced = Source(**{**asdict(found[1]), "drop": frozenset({"T007"})})

    alone, rest = standing(store, [found[0], replaced, found[2]])
    assert (alone, rest) == ([found[0]], [replaced, found[2]])
    assert keys_of(made(store, day_parts(store, alone, rest))) == trades("a", 0, 20) + trades("b", 0, 20)

    unknown = Source(**{**asdict(found[1]), "keys": None})
    assert standing(store, [found[0], unknown]) == ([found[0]], [unknown])
    among = Source(**{**asdict(written(store, [trades("a", 7, 8)], "others")[0]), "keys": None})
    assert standing(store, [found[0], among]) == ([], [found[0], among])


def test_a_day_of_one_file_is_merged_into_one(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    found = written(store, [trades("a", 0, 20), trades("b", 0, 20)])
    assert standing(store, found) == ([], found)
    assert day_parts(store, [], found) == [Part(tuple(found))]


KEYS = st.tuples(st.sampled_from("abcdef"), st.integers(0, 40).map("T{:03d}".format))


@pytest.mark.usefixtures("small")
@examples(40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(KEYS, min_size=1, max_size=120, unique=True), st.lists(st.integers(0, 5), min_size=120, max_size=120))
def test_rows_are_the_same_however_they_lie(tmp_path_factory: Any, keys: list[Key], places: list[int]) -> None:
    store = open_store(str(tmp_path_factory.mktemp("parts")))
    files = [[key for key, place in zip(keys, places, strict=False) if place == number] for number in range(6)]
    found = written(store, [file for file in files if file])

    parts = day_parts(store, *standing(store, found))

    assert keys_of(made(store, parts)) == sorted(keys)
    read = [source for part in parts for source in part.sources if source.expected is not None]
    assert sorted(source.path for source in read) == sorted(source.path for source in found)  # each looked at once


def test_blocks_are_cut_at_books(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("riskpipe.store.pieces.LEAST_PIECE", 400)
    books = np.repeat(np.array([0, 1, 2, 3, 4], np.int32), [2, 3, 10, 4, 1])
    assert cuts_at_books(books, 100.0) == [5, 15]  # the first book and the last are too small by themselves
    assert cuts_at_books(books, 1.0) == []
    rows = vectors(trades("a", 0, 20))
    assert [part.num_rows for part in slices(rows, [5, 15])] == [5, 10, 5]
    assert pa.concat_tables(slices(rows, [5, 15])).equals(rows)


# -- whole runs


@pytest.fixture
def settings_of(small_book: Path, tmp_path: Path) -> Callable[..., Settings]:
    def settings_at(output: str) -> Settings:
        cut = ("measures=[pv, delta, stress, historical_var]", "partition.max_trades=40")
        given_ = ("cluster.kind=serial", f"output={tmp_path / output}", *cut)
        return load_settings(small_book / "riskpipe.yaml", assignments=given_, environment={})

    return settings_at


@pytest.mark.parametrize(("stands_from", "links"), one_in(3, [(1, {2}), (6_500, {1, 2}), (1 << 30, {1})]))
def test_what_is_published_is_the_same(
    stands_from: int,
    links: set[int],
    settings_of: Callable[[str], Settings],
    recorder: Any,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """All files as blocks wrote them, names of the same file; some merged; all merged."""
    plain, cut = settings_of("plain"), settings_of("cut")
    run(plain, Selection(), observer=recorder)
    request.getfixturevalue("small")
    monkeypatch.setattr(module, "STANDS_FROM", stands_from)

    status = run(cut, Selection(), observer=recorder)

    assert status.published
    assert_same_bits(Path(plain.output), Path(cut.output))
    files = list(Path(cut.output).glob("published/scenario_pnl/*/*.parquet"))
    assert len(files) > 1
    assert {os.stat(path).st_nlink for path in files} == links
    assert not list(Path(cut.output).glob("runs/*/publish"))


@pytest.mark.usefixtures("small")
@pytest.mark.slow
def test_a_linked_day_is_replaced_and_published_again(settings_of: Callable[[str], Settings], recorder: Any) -> None:
    settings_ = settings_of("twice")
    first = run(settings_, Selection(), observer=recorder)
    before = {path.name for path in Path(settings_.output).glob("published/scenario_pnl/*/*.parquet")}

    second = run(settings_, Selection(), resume="never", observer=recorder)

    after = {path.name for path in Path(settings_.output).glob("published/scenario_pnl/*/*.parquet")}
    assert not before & after
    again = publish(settings_, first.run_id, replace_day=True)
    assert again.tables["scenario_pnl"] > 0
    assert publish(settings_, first.run_id).stood
    assert second.published


def test_what_an_earlier_attempt_staged_is_cleared(tmp_path: Path) -> None:
    folder = RunFolder(open_store(str(tmp_path)), PROVENANCE.run_id)
    kept, other = (f"{folder.staged_day('valuations', DAY)}/part-00{n}.parquet" for n in (0, 1))
    for path in (kept, other, folder.merged_file("m")):
        folder.store.write_bytes(path, b"1")
    clear_staged(folder, {kept})
    assert [entry.path for entry in folder.store.list_files()] == [folder.merged_file("m"), kept]
