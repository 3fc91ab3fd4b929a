"""A portfolio surveyed in pieces, by whoever there is: the same plan, faults and digests, to the byte."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from object_server import ObjectServer
from selections import one_in

from riskpipe.clusters.local import local
from riskpipe.clusters.process_map import process_map
from riskpipe.config import Settings
from riskpipe.plan.fault import Fault
from riskpipe.plan.piece_files import PieceFiles
from riskpipe.plan.portfolio_pieces import Mapper, in_turn
from riskpipe.plan.selection import parse_selection
from riskpipe.plan.stored_plan import SCHEMA
from riskpipe.runs.planning import make_plan
from riskpipe.runs.planning_workers import PlanningWorkers
from riskpipe.store.layout import PLANNING
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder

SettingsOf = Callable[..., Settings]
SMALL_PIECES = 100
ELSEWHERE = ("cluster.kind=kubernetes", "cluster.kubernetes.image=riskpipe:1", "cluster.kubernetes.tls_secret=tls")
"""Workers that take nothing of this machine."""


@dataclass(frozen=True)
class Plan:
    """All that is left of planning. :param seconds: in all; the last bits are as the blocks were added up."""

    file: bytes
    blocks: pa.Table
    seconds: float
    faults: tuple[Fault, ...]
    quarantine: pa.Table
    contents: pa.Table


@pytest.fixture
def spoiled(book: Path) -> Path:
    """In row groups of ten, with faults: ids that are doubled within files and across them, missing ones, odd books."""
    portfolio = book / "data" / "portfolio"
    seen: list[str] = []
    for path in sorted(portfolio.glob("*/*.parquet")):
        table = pq.read_table(path, partitioning=None)
        ids, books = table.column("trade_id").to_pylist(), table.column("book").to_pylist()
        ids[-1] = ids[0]
        if seen:
            ids[1] = seen[0]
        ids[2] = None if len(seen) % 2 else ids[2]
        books[3] = f"{books[3]}//x "
        seen.append(ids[0])
        for name, values in (("trade_id", ids), ("book", books)):
            at = table.column_names.index(name)
            table = table.set_column(at, name, pa.array(values, pa.string()))
        pq.write_table(table, path, row_group_size=10)
    for name in ("part-001", "part-002"):  # as many trades once more, all of them doubled
        (portfolio / "bond" / f"{name}.parquet").write_bytes((portfolio / "bond" / "part-000.parquet").read_bytes())
    return book


def planned(settings: Settings, *select: str, run: RunFolder | None = None) -> Plan:
    with make_plan(settings, parse_selection(select), run=run) as made:
        contents = pa.concat_tables(made.contents()).unify_dictionaries()
        blocks, seconds = made.plan.columns(*SCHEMA.names), made.plan.header.totals["projected_seconds"]
        file = Path(made.plan.path).read_bytes()
        return Plan(file, blocks, seconds, made.faults, made.quarantine.table(), contents)


def shuffled(function: Callable[[Any, Any], Any], shared: Any, items: Iterable[Any]) -> Iterator[Any]:
    """Done in another order than that in which they are handed over."""
    every = list(items)
    order = random.Random(4).sample(range(len(every)), len(every))
    found = {k: function(shared, every[k]) for k in order}
    return iter([found[k] for k in range(len(every))])


@pytest.mark.parametrize("streamed", one_in(2, [True, False]))
def test_pieces_change_nothing(
    streamed: bool, spoiled: Path, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of("measures=[pv, delta, stress]", "partition.max_trades=17", book=spoiled)
    if streamed:
        monkeypatch.setattr("riskpipe.runs.planning.ROWS_TO_BALANCE", 0)
    whole = planned(settings)
    assert {fault.rule for fault in whole.faults} >= {"unique", "not_null", "normal_form"}
    assert whole.quarantine.column("doubled").to_pylist().count(True) > 40

    monkeypatch.setattr("riskpipe.plan.survey.PIECE_ROWS", SMALL_PIECES)
    monkeypatch.setattr("riskpipe.plan.doubled_ids.IDS_A_PARTITION", 50)
    pieces = planned(settings)
    assert pieces.blocks.equals(whole.blocks)
    assert pieces.seconds == pytest.approx(whole.seconds, rel=1e-12)
    assert sorted(map(repr, pieces.faults)) == sorted(map(repr, whole.faults))
    assert pieces.quarantine.equals(whole.quarantine)
    assert pieces.contents.equals(whole.contents)

    monkeypatch.setattr(PlanningWorkers, "mapper", lambda self: nullcontext(shuffled))
    assert planned(settings) == pieces


def test_processes_find_what_this_one_does(
    spoiled: Path, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riskpipe.plan.survey.PIECE_ROWS", SMALL_PIECES)
    settings = settings_of("measures=[pv, delta]", book=spoiled)
    alone = planned(settings)

    monkeypatch.setattr(PlanningWorkers, "mapper", lambda self: process_map(2))
    assert planned(settings) == alone


@pytest.mark.slow
def test_workers_of_a_cluster_find_what_this_process_does(
    spoiled: Path, settings_of: SettingsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riskpipe.plan.survey.PIECE_ROWS", SMALL_PIECES)
    alone = planned(settings_of("measures=[pv, delta]", book=spoiled))
    monkeypatch.setattr("riskpipe.runs.planning_workers.ROWS_A_PROCESS", 1)

    with local(2) as client:
        address = f"cluster.address={client.scheduler.address}"
        settings = settings_of("measures=[pv, delta]", "cluster.kind=address", address, book=spoiled)
        store = open_store(settings.output)
        store.write_bytes(f"{PLANNING}/killed/left", b"")
        found = planned(settings, run=RunFolder(store, "20261120-193055-3f9a1c-7"))
        assert any(client.run(lambda: "riskpipe.plan.survey_piece" in sys.modules).values())

    assert found == alone
    assert not store.list_files(PLANNING)


def test_a_small_book_asks_no_cluster(small_book: Path, settings_of: SettingsOf) -> None:
    """It would take longer to connect to it."""
    nowhere = settings_of("cluster.kind=address", "cluster.address=tcp://127.0.0.1:1")

    run = RunFolder(open_store(nowhere.output), "20261120-193055-3f9a1c-7")

    with PlanningWorkers(nowhere, 400, run).mapper() as mapped:
        assert list(mapped(_plus, 1, [1, 2])) == [2, 3]


def _plus(one: int, other: int) -> int:
    return one + other


@pytest.mark.slow
def test_pieces_may_leave_what_they_find_in_a_bucket(
    spoiled: Path, settings_of: SettingsOf, s3: ObjectServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("riskpipe.plan.survey.PIECE_ROWS", SMALL_PIECES)
    settings = settings_of("measures=[pv, delta]", book=spoiled)
    alone = planned(settings)

    files = PieceFiles(open_store(s3.uri(bucket)), PLANNING)
    monkeypatch.setattr(PlanningWorkers, "files", lambda self: nullcontext(files))
    assert planned(settings) == alone
    assert files.store.list_files(PLANNING)


@pytest.mark.parametrize(
    ("rows", "cores", "gib", "asked", "processes"),
    [
        (100_000_000, 8, 64, ("cluster.kind=local", "cluster.workers=16"), 8),
        (100_000_000, 8, 64, ("cluster.kind=local", "cluster.workers=3"), 3),
        (100_000_000, 8, 4, ("cluster.kind=local", "cluster.workers=16"), 3),  # the driver takes its part
        (100_000_000, 8, 64, ELSEWHERE, 8),
        (3_999_999, 8, 64, ("cluster.kind=local", "cluster.workers=16"), 3),
        (1_999_999, 8, 64, ("cluster.kind=local", "cluster.workers=16"), None),
        (100_000_000, 8, 64, ("cluster.kind=serial",), None),
        (100_000_000, 1, 64, ("cluster.kind=local",), None),
        (100_000_000, 8, 2, ("cluster.kind=local",), None),
    ],
)
def test_processes_are_as_many_as_rows_cores_and_memory_allow(
    rows: int,
    cores: int,
    gib: int,
    asked: tuple[str, ...],
    processes: int | None,
    settings_of: SettingsOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """:param processes: None: this one."""
    monkeypatch.setattr("dask.system.cpu_count", lambda: cores)
    monkeypatch.setattr("distributed.system.memory_limit", lambda: gib * 2**30)
    started: list[int] = []

    def noted(processes: int) -> AbstractContextManager[Mapper]:
        started.append(processes)
        return nullcontext(in_turn)

    monkeypatch.setattr("riskpipe.runs.planning_workers.process_map", noted)

    with PlanningWorkers(settings_of(*asked), rows).mapper() as mapper:
        assert list(mapper(_plus, 1, [1, 2])) == [2, 3]
    assert started == ([] if processes is None else [processes])
