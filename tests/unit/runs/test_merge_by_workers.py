"""Runs of many blocks: the cluster makes few files of many, and of these the files of the day."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from groups import small_groups
from published import assert_same_bits

from riskpipe.config import Settings, load_settings
from riskpipe.execute.events import Finished, Submitted
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.signals import StopSignal
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.dealt_plan import DealtPlan
from riskpipe.plan.neighbours import Group
from riskpipe.plan.selection import Selection
from riskpipe.plan.state import RunState
from riskpipe.runs.combined_files import CombinedFiles
from riskpipe.runs.day_parts import part_payloads
from riskpipe.runs.folded import FoldedRun, fold
from riskpipe.runs.outputs import merge_payloads
from riskpipe.runs.publication import Publication
from riskpipe.runs.shard_driver import Line, ShardSession, new_writer
from riskpipe.runs.shard_messages import Deal, NoMore
from riskpipe.runs.stored import open_plan
from riskpipe.runs.worker_functions import FUNCTIONS
from riskpipe.store.ledger import read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone, Combined, OutputLost, Record
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.store.shared_lease import SharedLease
from riskpipe.store.sorted_merge import Source
from riskpipe.store.table_schemas import SORT_KEYS
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.merge_files import PartPayload
from riskpipe.workflows.publish import publish
from riskpipe.workflows.run import run

FILES = 4
CUT = ("measures=[pv, delta, stress, historical_var]", "partition.max_trades=13")


@pytest.fixture
def settings_of(small_book: Path, tmp_path: Path) -> Callable[..., Settings]:
    def settings(output: str, *assignments: str) -> Settings:
        given = ("cluster.kind=serial", f"output={tmp_path / output}", *CUT, *assignments)
        return load_settings(small_book / "riskpipe.yaml", assignments=given, environment={})

    return settings


@pytest.fixture(scope="module")
def undisturbed(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run whose blocks' files are merged at once."""
    output = tmp_path_factory.mktemp("undisturbed")
    given = ("cluster.kind=serial", f"output={output}", *CUT)
    settings = load_settings(small_book / "riskpipe.yaml", assignments=given, environment={})
    run(settings, Selection(), observer=SilentObserver())
    return output


@pytest.fixture
def staged(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of how many files each part of the day was made."""
    counts: list[int] = []

    def counting(*arguments: Any) -> list[PartPayload]:
        payloads = part_payloads(*arguments)
        counts.extend(len(payload.sources) for payload in payloads)
        return payloads

    monkeypatch.setattr("riskpipe.runs.combining.part_payloads", counting)
    return counts


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    small_groups(monkeypatch, FILES)


def test_levels_until_few_are_left(tmp_path: Path, few: None) -> None:
    found = [Source(f"blocks/{n}.parquet", frozenset({"T"} if n == 3 else ())) for n in range(37)]

    folder = RunFolder(open_store(str(tmp_path)), "20261120-000000-000000")
    combined = CombinedFiles(folder, 37)
    levels = []
    left = found
    while level := merge_payloads(folder, "valuations", left):
        levels.append(level)
        for number, task in enumerate(level):
            combined.done(task.name, WrittenFile(folder.merged_file(task.name), 7, 100, f"sum {number}"))
        left = [combined.source(task.name, folder.merged_file(task.name)) for task in level]

    assert [len(level) for level in levels] == [10, 3]
    assert [source for task in levels[0] for source in task.sources] == found
    assert [source for task in levels[1] for source in task.sources] == [
        Source(folder.merged_file(task.name), sha256=f"sum {number}", bytes=100)
        for number, task in enumerate(levels[0])
    ]
    assert [source.path for source in left] == [folder.merged_file(task.name) for task in levels[1]]


def test_a_name_follows_from_what_is_in_it(tmp_path: Path, few: None) -> None:
    def names(*found: Source, table: str = "valuations") -> set[str]:
        tasks = merge_payloads(RunFolder(open_store(str(tmp_path)), "20261120-000000-000000"), table, found)
        return {task.name for task in tasks}

    found = [Source(f"{n}") for n in range(8)]
    first = names(*found)
    assert first == names(*found)
    assert len(first & names(*found[:7], Source("7", frozenset({"T"})))) == 1
    assert len(first & names(*found[:7], Source("7", sha256="another"))) == 1
    assert not first & names(*found, table="sensitivities")


def test_few_files_stay_as_they_are(tmp_path: Path) -> None:
    found = [Source(f"{n}") for n in range(40)]
    assert merge_payloads(RunFolder(open_store(str(tmp_path)), "20261120-000000-000000"), "valuations", found) == []


def test_what_is_published_is_the_same(
    settings_of: Callable[..., Settings], staged: list[int], monkeypatch: pytest.MonkeyPatch, recorder: Any
) -> None:
    plain = settings_of("plain")
    run(plain, Selection(), observer=recorder)
    assert max(staged) > FILES**2
    staged.clear()
    small_groups(monkeypatch, FILES)
    merged = settings_of("merged")

    status = run(merged, Selection(), observer=recorder)

    assert status.state == "complete"
    assert max(staged) <= FILES
    assert_same_bits(Path(plain.output), Path(merged.output))


@pytest.mark.slow
def test_on_workers(settings_of: Callable[..., Settings], few: None, staged: list[int], recorder: Any) -> None:
    settings = settings_of("workers", "cluster.kind=local", "cluster.workers=2")
    status = run(settings, Selection(), observer=recorder)
    assert (status.state, status.published) == ("complete", True)
    assert max(staged) <= FILES


def test_only_what_is_to_be_published(
    settings_of: Callable[..., Settings], few: None, staged: list[int], recorder: Any
) -> None:
    """A run that is published later is merged by workers then; afterwards nothing of it is left."""
    settings = settings_of("never")
    run(settings, Selection(), publication=Publication("never"), observer=recorder)
    assert not list(Path(settings.output).glob("runs/*/publish"))

    report = publish(settings, "latest")

    assert report.tables["valuations"] > 0
    assert max(staged) <= FILES
    assert not list(Path(settings.output).glob("runs/*/publish"))


class _KilledError(BaseException):
    """As if the process had been killed: nothing is written after it."""


def _killed_at(monkeypatch: pytest.MonkeyPatch, reached: Callable[[FaultPoint, Any], bool]) -> None:
    def point(at: FaultPoint, what: Any = None) -> None:
        if reached(at, what):
            raise _KilledError

    monkeypatch.setattr("riskpipe.runs.session.fault_point", point)


def _records(settings: Settings) -> list[Record]:
    store = open_store(settings.output)
    return list(read_ledger(RunFolder(store, list_runs(store)[-1])))


def _merged(records: Iterable[Record]) -> list[Combined]:
    return [record for record in records if isinstance(record, Combined) and record.table == "valuations"]


def test_rows_are_merged_while_blocks_are_valued(
    settings_of: Callable[..., Settings], few: None, recorder: Any
) -> None:
    settings = settings_of("along")
    status = run(settings, Selection(), observer=recorder)

    records, blocks = _records(settings), status.blocks.planned
    last = max(k for k, record in enumerate(records) if isinstance(record, BlockDone))
    merged = _merged(records[:last])
    whole = [Group.how_many(level, blocks + 1 - FILES ** (level + 1)) for level in (0, 1)]
    assert whole[1] > 1
    counts = [sum(record.level == level for record in merged) for level in (0, 1)]
    assert all(count >= most - 1 for count, most in zip(counts, whole, strict=True)), "the last may come after"
    assert len({(record.level, record.group) for record in merged}) == len(merged)
    after = [record for record in records[last:] if isinstance(record, Combined) and record.table is not None]
    assert len(after) <= (1 + len(SORT_KEYS)) * 3, "the end of the last groups"


def test_a_run_that_was_killed_does_not_merge_again_what_it_has(
    settings_of: Callable[..., Settings], undisturbed: Path, few: None, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of("killed")
    done: list[object] = []

    def enough(at: FaultPoint, what: Any) -> bool:
        if at is FaultPoint.EVENT and isinstance(what, Finished):
            done.append(what)
        return len(done) == 60

    with monkeypatch.context() as patched:
        patched.setattr("riskpipe.store.ledger.FLUSH_RECORDS", 1)
        _killed_at(patched, enough)
        with pytest.raises(_KilledError):
            run(settings, Selection(), observer=recorder)
    before = _merged(_records(settings))
    assert before

    run(settings, Selection(), observer=recorder)

    assert {record.name for record in before}.isdisjoint(r.name for r in _merged(_records(settings))[len(before) :])
    assert_same_bits(undisturbed, Path(settings.output))


def test_what_was_merged_of_a_block_that_is_lost_is_of_no_use(
    settings_of: Callable[..., Settings], undisturbed: Path, few: None, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of("killed")

    def at_a_part(at: FaultPoint, what: Any) -> bool:
        return at is FaultPoint.EVENT and isinstance(what, Submitted) and what.task.function == "part"

    with monkeypatch.context() as patched:
        _killed_at(patched, at_a_part)
        with pytest.raises(_KilledError):
            run(settings, Selection(), observer=recorder)
    folder = RunFolder(open_store(settings.output), list_runs(open_store(settings.output))[-1])
    state = fold(folder, read_ledger(folder))
    lost = state.plan.id_at(1)
    Path(settings.output, folder.block_output("valuations", lost)).unlink()
    assert state.combined.of_group("valuations", Group(0, 0)) is not None
    state.apply(OutputLost(lost, "", ""))
    assert [state.combined.of_group("valuations", Group(level, 0)) for level in (0, 1)] == [None, None]
    assert state.combined.of_group("valuations", Group(0, 1)) is not None

    status = run(settings, Selection(), observer=recorder)

    assert (status.state, status.published) == ("complete", True)
    assert_same_bits(undisturbed, Path(settings.output))


def test_a_shard_s_driver_merges_what_it_was_dealt(
    settings_of: Callable[..., Settings], undisturbed: Path, few: None, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process, over all blocks of a plan; a resume has only the end of them to do."""
    settings = settings_of("shard")
    with monkeypatch.context() as patched:
        _killed_at(patched, lambda at, what: at is FaultPoint.VALUE_BLOCKS)
        with pytest.raises(_KilledError):
            run(settings, Selection(), observer=recorder)
    folder = RunFolder(open_store(settings.output), list_runs(open_store(settings.output))[-1])
    plan = DealtPlan(open_plan(folder).path)
    here, there = multiprocessing.Pipe()
    Thread(target=_read_all, args=(here,), daemon=True).start()
    line = Line(there, SharedLease(os.getppid(), lambda run_id: None))
    shard = FoldedRun(folder, RunState(plan), CombinedFiles(folder, len(plan)))
    session = ShardSession(
        shard, settings, new_writer(folder, 0.0, line), "", line.lease, line, StopSignal(),
        merged_tables=("valuations", "sensitivities"), dealt_plan=plan, line=line, shard=0,
    )  # fmt: skip

    here.send(Deal(np.arange(len(plan), dtype=np.int32)))
    here.send(NoMore())
    session.value(SerialExecutor(FUNCTIONS), fail_fast=False)

    session.flush()
    there.close()
    merged = _merged(read_ledger(folder))
    assert Counter(record.level for record in merged) == {0: -(-len(plan) // FILES), 1: -(-len(plan) // FILES**2)}
    run(settings, Selection(), observer=recorder)
    assert len(_merged(read_ledger(folder))) == len(merged), "none is left but what is above"
    assert_same_bits(undisturbed, Path(settings.output))


def _read_all(pipe: Connection) -> None:
    with suppress(EOFError, OSError):
        while True:
            pipe.recv()
