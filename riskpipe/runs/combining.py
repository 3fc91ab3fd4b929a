"""What is made of the blocks' outputs before anything is published: sums, whole vectors, a day's files, components."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct

from riskpipe.execute.drive import DriveState
from riskpipe.execute.executor import Executor
from riskpipe.execute.serial_executor import SerialExecutor
from riskpipe.execute.task import Task
from riskpipe.runs import tails
from riskpipe.runs.day_parts import clear_staged, day_parts, part_payloads, standing
from riskpipe.runs.engine import engines_of
from riskpipe.runs.outputs import (
    concatenation_payloads,
    correction_payloads,
    merge_payloads,
    sources_to_publish,
    unfinished,
)
from riskpipe.runs.session import Session
from riskpipe.runs.tails import (
    books_of,
    has_vectors,
    largest_payloads,
    tail_payloads,
    write_components,
    write_tails,
)
from riskpipe.runs.worker_functions import FUNCTIONS
from riskpipe.store.layout import REVALUATIONS, TRADE_COMPONENTS
from riskpipe.store.records import BlockVoid
from riskpipe.store.table_schemas import SORT_KEYS
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.context import open_context
from riskpipe.valuation.merge_files import MergePayload, PartPayload
from riskpipe.valuation.revaluation import RevaluationPayload, RevaluedPayload
from riskpipe.valuation.run_block import BlockPayload, void_block
from riskpipe.valuation.tail_components import LargestPayload, TailPayload

Payload = MergePayload | PartPayload | TailPayload | LargestPayload | RevaluationPayload | RevaluedPayload


def finish_outputs(session: Session, executor: Executor | None = None, *, merge: bool) -> None:
    """Everything that publishing reads: rows for what failed, sums, whole vectors; what is there stays.

    Only when all of it is in place is the session `publishable`: a stop may come at any point here.

    :param executor: None: one in this process.
    :param merge: the run is to be published: make the files of its day, of the tables that have a row a trade, and the
        trades' components, and what reverse stresses lose.
    """
    executor = executor or SerialExecutor(FUNCTIONS)
    started, session.phase = time.monotonic(), "combine"
    session.publishable = _sums_and_vectors(session, executor) and (
        not merge or (_day_and_components(session, executor) and _reverse_stresses(session, executor))
    )
    session.phases["combine"] = time.monotonic() - started
    session.flush()


def _sums_and_vectors(session: Session, executor: Executor) -> bool:
    """Whether everything is in place."""
    run = session.run
    for leaf in unfinished(session.state):
        payload = BlockPayload(*session.folder.place, leaf.block)
        made = void_block(payload, session.state.why(leaf.block.block_id))
        session.record(BlockVoid(leaf.block.block_id, made.outputs, made.vectors))
    for level in run.combined.levels(session.state):
        tasks_of_level = (Task(key=payload.name, payload=payload, function="sum") for payload in level)
        if session.drive(tasks_of_level, executor, fail_fast=True).state is not DriveState.COMPLETE:
            return False
    corrections = list(correction_payloads(run))
    corrected = (Task(key=payload.name, payload=payload, function="correct") for payload in corrections)
    whole = (Task(key=p.name, payload=p, function="concatenate") for p in concatenation_payloads(run))
    left = (task for task in itertools.chain(corrected, whole) if not run.combined.has(task.key))
    if session.drive(left, executor, fail_fast=True).state is not DriveState.COMPLETE:
        return False
    session.sums = tuple(map(run.combined.sums, (*run.combined.roots, *(payload.name for payload in corrections))))
    return True


def _day_and_components(session: Session, executor: Executor) -> bool:
    """The files of the day, each made by a worker, and trades' components of figures of the tail as far as they can be
    made: the day is published without them, too. What is left from a session that was killed is kept."""
    parts = _day_files(session, executor)
    if parts is None:
        return False
    of_day = sorted((payload for of in parts.values() for payload in of), key=lambda part: part.bytes, reverse=True)
    components = _trade_components(session)
    notes = len(session.notes)
    # Neither needs the other, and the last ones of each would leave workers idle.
    _combine(session, executor, [("part", of_day), *([components.first] if components else [])])
    # A component that could not be made has ended that, and is told.
    if not _combine(session, executor, [("part", of_day)]):
        return False
    session.parts = {table: [session.run.combined.file(p.name) for p in of] for table, of in parts.items()}
    if components is None or len(session.notes) > notes:
        return True
    files = _beside(session, executor, components)
    if files:
        folder = session.folder
        session.beside[TRADE_COMPONENTS] = [write_components(folder, files, session.settings.risk.components.trades)]
        session.wrote(folder.beside[TRADE_COMPONENTS], session.beside[TRADE_COMPONENTS][0].sha256)
    return files is not None


def _day_files(session: Session, executor: Executor) -> dict[str, list[PartPayload]] | None:
    """What makes the files of the day, by table, after files of neighbours have become few; None: stopped."""
    run, folder = session.run, session.folder
    payloads: dict[str, list[PartPayload]] = {}
    engine_version = engines_of(session.state.engines)
    footer_stands = engine_version == open_context(*folder.place).spec.provenance.engine_version
    for table in SORT_KEYS:
        found = sources_to_publish(run, table)
        alone, rest = standing(folder.store, found) if footer_stands else ([], found)
        while level := merge_payloads(folder, table, rest):
            if not _combine(session, executor, [("merge", level)]):
                return None
            rest = [run.combined.source(p.name, folder.merged_file(p.name)) for p in level]
        if found:
            payloads[table] = part_payloads(folder, table, day_parts(folder.store, alone, rest), engine_version)
    clear_staged(folder, {p.path for of in payloads.values() for p in of if run.combined.has(p.name)})
    return payloads


class _Beside(Struct, frozen=True):
    """Files beside the day's. :param first: a function and its payloads.
    :param fewer: likewise, of what joins their files, until there is nothing."""

    first: tuple[str, Sequence[Payload]]
    fewer: tuple[str, Callable[[Sequence[WrittenFile]], Sequence[Payload]]]


def _trade_components(session: Session) -> _Beside | None:
    """None: there are none."""
    wanted, folder = session.settings.risk.components, session.folder
    if not wanted.trades or tails.MEASURE not in session.plan.header.measures:
        return None
    totals = session.totals()
    if not has_vectors(totals):
        return None
    nodes, unknown = books_of(totals, wanted.books)
    for pattern in unknown:
        session.note(f"risk.components.books: no book is called {pattern}")
    found = write_tails(folder, totals, nodes, session.settings.risk.terms().tails)
    if found is None:
        return None
    session.wrote(found.file.path, found.file.sha256)
    payloads = list(tail_payloads(session.run, found, wanted.trades))
    return _Beside(("tail", payloads), ("largest", partial(largest_payloads, folder, most=wanted.trades)))


def _reverse_stresses(session: Session, executor: Executor) -> bool:
    """What the moves of `risk.reverse_stress` lose in full, as far as it can be known; likewise."""
    asked, folder = session.settings.risk.terms().reverse_stresses, session.folder
    if not asked:
        return True
    from riskpipe.runs import reverse_stresses  # and with it how moves are found, which few ask for

    if reverse_stresses.MEASURE not in session.plan.header.measures:
        return True
    moves = reverse_stresses.write_moves(folder, session.totals(), asked)
    if moves is None:
        return True
    session.wrote(moves.path, moves.sha256)
    payloads = list(reverse_stresses.revaluation_payloads(session.run, moves, len(asked)))
    fewer = partial(reverse_stresses.revalued_payloads, folder)
    files = _beside(session, executor, _Beside(("revaluation", payloads), ("revalued", fewer)))
    if files:
        session.beside[REVALUATIONS] = [reverse_stresses.write_revaluations(folder, files)]
        session.wrote(folder.beside[REVALUATIONS], session.beside[REVALUATIONS][0].sha256)
    return files is not None


def _beside(session: Session, executor: Executor, wanted: _Beside) -> list[WrittenFile] | None:
    """A few files; none where they cannot be made, which is told; None: stopped."""
    notes = len(session.notes)
    function, level = wanted.first
    files: list[WrittenFile] = []
    while level:
        if not _combine(session, executor, [(function, level)]):
            return [] if len(session.notes) > notes else None
        files = [session.run.combined.file(payload.name) for payload in level]
        function, level = wanted.fewer[0], wanted.fewer[1](files)
    return files


def _combine(session: Session, executor: Executor, wanted: Iterable[tuple[str, Iterable[Payload]]]) -> bool:
    """Whether what these ask for is in place, after what is not yet was made. :param wanted: functions and payloads."""
    tasks = (
        _task(function, payload)
        for function, payloads in wanted
        for payload in payloads
        if not session.run.combined.has(payload.name)
    )
    return session.drive(tasks, executor, fail_fast=True).state is DriveState.COMPLETE


def _task(function: str, payload: Payload) -> Task:
    seconds = payload.seconds if isinstance(payload, TailPayload | RevaluationPayload) else 0.0
    return Task(key=payload.name, payload=payload, function=function, projected_seconds=seconds)
