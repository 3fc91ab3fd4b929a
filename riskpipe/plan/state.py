"""The ledger folded into the state of every block: what is done, what is left, and where every number ended.

For a plan of n blocks the state is a few arrays of n; only blocks that were split or repeated in part cost more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.errors import Failure, Reason
from riskpipe.plan.accounting import Counts
from riskpipe.plan.block import Block, BlockState
from riskpipe.plan.recorded import Recorded
from riskpipe.plan.second_starts import SecondStarts
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.store.records import (
    BlockDone,
    BlockFailed,
    BlockSplit,
    BlockStartedAgain,
    BlockVoid,
    OutputLost,
    Record,
    SessionStarted,
)


class Child(Struct):
    """A part of a block (bisected, or its failed trades again) and its own state.

    :param replaces: ok, failed and not-applicable numbers of the parent's output that this child's output replaces;
        None when the parent has no output.
    """

    block: Block
    replaces: tuple[int, int, int] | None
    status: BlockState = BlockState.PENDING
    numbers: tuple[int, int, int] = (0, 0, 0)
    reused: bool = False
    reason: Failure | None = None
    dropped: bool = False


class Leaf(Struct, frozen=True):
    """One output file set of a run, or the place where it is missing.

    :param replaced_by: parts whose trades' rows replace those of this output.
    :param repeats: its trades are counted (as failed) by the output that it replaces rows of.
    """

    block: Block
    status: BlockState
    replaced_by: tuple[Block, ...] = ()
    repeats: bool = False


class _Tally(Struct):
    ok: int = 0
    reused: int = 0
    failed: int = 0
    not_applicable: int = 0
    cancelled: int = 0

    def add(self, numbers: tuple[int, int, int], reused: bool, sign: int = 1) -> None:
        ok, failed, not_applicable = numbers
        if reused:
            self.reused += sign * ok
        else:
            self.ok += sign * ok
        self.failed += sign * failed
        self.not_applicable += sign * not_applicable


@dataclass
class RunState:
    """Fold records with `apply`; a record of an earlier session counts as reused once `start_session` was called.

    `engines` are the versions of riskpipe that did blocks.
    """

    plan: StoredPlan
    sessions: int = 0
    children: dict[str, list[Child]] = field(default_factory=dict)
    second_starts: SecondStarts = field(default_factory=SecondStarts)

    def __post_init__(self) -> None:
        n = len(self.plan)
        self.status = np.zeros(n, np.uint8)
        self.reused = np.zeros(n, np.bool_)
        self.numbers = np.zeros((n, 3), np.int64)
        self._child: dict[str, Child] = {}
        self.failed_reason: dict[int, Failure] = {}
        self.files = Recorded(n)
        self.engines: set[str] = set()
        self._engine = ""

    def fold(self, records: Iterable[Record]) -> RunState:
        for record in records:
            self.apply(record)
        return self

    def start_session(self) -> None:
        """What is done by now was done before: it counts as reused from here on. What failed may be tried again."""
        self.reused = self.status == BlockState.DONE
        for child in self._child.values():
            child.reused = child.status == BlockState.DONE

    def reopen_failed(self, wanted: set[str] | None = None) -> None:
        """Make failed blocks pending again (all, or those whose id or parent's id is wanted)."""
        for child in self._child.values():
            named = {child.block.block_id, child.block.parent or ""}
            if child.status == BlockState.FAILED and (wanted is None or named & wanted):
                child.status = BlockState.PENDING
                self.files.forget(child.block.block_id)
        for index in list(self.failed_reason):
            if wanted is None or self._id(index) in wanted:
                self.status[index] = BlockState.PENDING
                self.files.forget(index)
                del self.failed_reason[index]

    def failed_for(self, reason: Reason) -> set[str]:
        """Ids of the blocks and parts that failed as a whole for this reason."""
        blocks = {self._id(index) for index, why in self.failed_reason.items() if why.reason is reason}
        parts = {
            block_id
            for block_id, child in self._child.items()
            if child.status == BlockState.FAILED and child.reason is not None and child.reason.reason is reason
        }
        return blocks | parts

    def apply(self, record: Record) -> None:
        """One step of the fold; order between records of different blocks does not matter."""
        if self.second_starts.running or isinstance(record, BlockStartedAgain):  # of a million records, next to none
            self.second_starts.apply(record)
        if isinstance(record, SessionStarted):
            self.sessions += 1
            self._engine = record.version
        elif isinstance(record, BlockDone):
            place = self.place(record.block_id)
            self._done(record.block_id, place, (record.ok, record.failed, record.not_applicable))
            self.files.note(place, record.outputs, record.vectors)
            self.engines.add(self._engine)
        elif isinstance(record, BlockFailed):
            if record.final:
                self._failed(record.block_id, Failure(Reason(record.reason), record.message))
        elif isinstance(record, BlockSplit):
            self._split(record.block_id, record.children)
        elif isinstance(record, BlockVoid):
            self.files.note(self.place(record.block_id), record.outputs, record.vectors)
        elif isinstance(record, OutputLost):
            self._lost(record.name)

    def _done(self, block_id: str, place: int | str, numbers: tuple[int, int, int]) -> None:
        if self.children and numbers != self.numbers_of(block_id):
            self._drop_repeats(block_id)
        if isinstance(place, str):
            child = self._child[place]
            child.status, child.numbers, child.reason = BlockState.DONE, numbers, None
            return
        self.status[place] = BlockState.DONE
        self.numbers[place] = numbers
        self.failed_reason.pop(place, None)

    def _drop_repeats(self, block_id: str) -> None:
        """Of a lost output that was made again with other numbers, or in halves: its parts repeat the first one's."""
        if block_id in self.children:
            dropped = [part for part in self.children[block_id] if part.replaces is not None]
            self.children[block_id] = self._halves(block_id)
            for part in dropped:  # with all of its own parts
                part.dropped = True
                dropped += self.children.pop(part.block.block_id, [])

    def _lost(self, name: str) -> None:
        """A block whose output is gone is not done; other files than blocks' are not known here."""
        child, index = self._child.get(name), self.plan.index_of(name)
        if child is not None:
            child.status, child.reused = BlockState.PENDING, False
            self.files.forget(name)
        elif index is not None:
            self.status[index], self.reused[index] = BlockState.PENDING, False
            self.files.forget(index)

    def place(self, block_id: str) -> int | str:
        """How `files` knows a block: by its position in the plan, a part by its id."""
        return block_id if block_id in self._child else self._index(block_id)

    def index_in_plan(self, name: str) -> int | None:
        """The position of a block, or of the one that it is a part of; None: there is no such block."""
        while (part := self._child.get(name)) is not None and part.block.parent is not None:
            name = part.block.parent
        return self.plan.index_of(name)

    def status_of(self, place: int | str) -> BlockState:
        """Of a block, by its `place`."""
        return self._child[place].status if isinstance(place, str) else BlockState(self.status[place])

    def sha256(self, table: str, block_id: str) -> str | None:
        """What a block's output must be; None: it has no such table."""
        return self.files.sha256(table, self.place(block_id))

    def _failed(self, block_id: str, reason: Failure) -> None:
        child = self._child.get(block_id)
        if child is not None:
            child.status, child.reason = BlockState.FAILED, reason
            return
        index = self._index(block_id)
        self.status[index] = BlockState.FAILED
        self.failed_reason[index] = reason

    def _split(self, block_id: str, children: Sequence[Mapping[str, Any]]) -> None:
        if any(value["replaces"] is None for value in children):
            self._drop_repeats(block_id)
        known = self.children.setdefault(block_id, [])
        for value in children:
            replaces = value["replaces"]
            block = Block.from_json(value["block"])
            if block.block_id not in self._child or self._child[block.block_id].dropped:
                child = Child(block, None if replaces is None else tuple(replaces))
                self._child[block.block_id] = child
                known.append(child)

    def _index(self, block_id: str) -> int:
        index = self.plan.index_of(block_id)
        if index is None:
            raise KeyError(f"the ledger names block {block_id}, which is not in the plan")
        return index

    def _id(self, index: int) -> str:
        return self.plan.id_at(index)

    def why(self, block_id: str) -> Failure:
        """The reason of a block that failed as a whole, or was not done."""
        child = self._child.get(block_id)
        known = child.reason if child is not None else self.failed_reason.get(self._index(block_id))
        return known or Failure(Reason.CANCELLED, "the run was stopped before this block was done")

    def part(self, block_id: str) -> Block | None:
        """A block that is a part of another, by its id."""
        child = self._child.get(block_id)
        return None if child is None else child.block

    def repeats_of(self, block_id: str) -> tuple[Block, ...]:
        """Parts of a done block that do some of its trades again, done or not."""
        return tuple(part.block for part in self.children.get(block_id, []) if part.replaces is not None)

    def numbers_of(self, block_id: str) -> tuple[int, int, int]:
        """ok, failed and not-applicable numbers of a block's own output."""
        child = self._child.get(block_id)
        if child is not None:
            return child.numbers
        ok, failed, not_applicable = (int(v) for v in self.numbers[self._index(block_id)])
        return ok, failed, not_applicable

    def pending(self) -> Iterator[Block]:
        """What is left to do: blocks without output and parts without output, in plan order, then parts."""
        todo = self.undone()
        if todo.any():
            for _, block in self.plan.blocks(todo):
                yield block
        for part in self.undone_parts():
            yield part.block

    def undone(self) -> NDArray[np.bool_]:
        """bool[n]: blocks of the plan that are to be done, and not in halves."""
        todo = np.asarray(self.status == BlockState.PENDING)
        for block_id in self.children:
            index = self.plan.index_of(block_id)
            if index is not None and self._halves(block_id):
                todo[index] = False
        return todo

    def undone_parts(self) -> Iterator[Child]:
        """Parts of blocks that are to be done, and not in halves."""
        for child in list(self._child.values()):
            if child.status == BlockState.PENDING and not child.dropped and not self._halves(child.block.block_id):
                yield child

    def pending_work(self) -> tuple[float, set[str]]:
        """Seconds that are projected for all that is pending, on one worker, and its products."""
        todo = self.undone()
        parts = [part.block for part in self.undone_parts()]
        seconds, products = sum(part.projected_seconds for part in parts), {part.product for part in parts}
        if todo.any():
            table = self.plan.columns("projected_seconds", "product").filter(pa.array(todo))
            seconds += float(table.column("projected_seconds").to_numpy().sum())
            products |= set(table.column("product").unique().to_pylist())
        return seconds, products

    def _halves(self, block_id: str) -> list[Child]:
        """Parts that stand for a block without output, and do not repeat some of its trades."""
        return [part for part in self.children.get(block_id, []) if part.replaces is None]

    def leaves(self, index: int, block: Block) -> Iterator[Leaf]:
        """The outputs that make up a block of the plan: its own and its parts', each trade in exactly one."""
        yield from self._leaves(block, BlockState(self.status[index]))

    def _leaves(self, block: Block, status: BlockState) -> Iterator[Leaf]:
        if status == BlockState.DONE:
            standing = self._standing(block.block_id, block.numbers)
            whole = any(part.block.trades == block.trades for part in standing)
            if not whole:
                yield Leaf(block, status, tuple(part.block for part in standing))
            for part in standing:
                for leaf in self._leaves(part.block, part.status):
                    yield leaf if whole else replace(leaf, repeats=True)
        elif halves := self._halves(block.block_id):
            for part in halves:
                yield from self._leaves(part.block, part.status)
        else:
            yield Leaf(block, status)

    def _standing(self, block_id: str, planned: int) -> list[Child]:
        """Parts whose rows stand in place of those of a done block; one that repeats all of it comes before others.

        :param planned: numbers of the block.
        """
        parts = [p for p in self.children.get(block_id, []) if p.replaces is not None and self._has_output(p)]
        whole = [part for part in parts if part.block.numbers == planned]
        return whole or parts

    def _has_output(self, part: Child) -> bool:
        halves = self._halves(part.block.block_id)
        return part.status == BlockState.DONE or (bool(halves) and all(self._has_output(p) for p in halves))

    def numbers_counts(self, planned: int) -> Counts:
        """Where every planned number is now; what is neither done nor failed counts as cancelled."""
        plain = np.ones(len(self.status), np.bool_)
        tally = _Tally()
        for block_id in self.children:
            index = self.plan.index_of(block_id)
            if index is not None:
                plain[index] = False
                numbers = tuple(int(v) for v in self.numbers[index])
                self._resolve(
                    tally,
                    block_id,
                    BlockState(self.status[index]),
                    (numbers[0], numbers[1], numbers[2]),
                    bool(self.reused[index]),
                    planned=int(self._planned[index]),
                )
        done = plain & (self.status == BlockState.DONE)
        for reused in (False, True):
            ok, failed, not_applicable = self.numbers[done & (self.reused == reused)].sum(axis=0)
            tally.add((int(ok), int(failed), int(not_applicable)), reused)
        tally.failed += int(self._planned[plain & (self.status == BlockState.FAILED)].sum())
        tally.cancelled += int(self._planned[plain & (self.status == BlockState.PENDING)].sum())
        return Counts(planned, tally.ok, tally.reused, tally.failed, tally.not_applicable, tally.cancelled)

    def _resolve(
        self,
        tally: _Tally,
        block_id: str,
        status: BlockState,
        numbers: tuple[int, int, int],
        reused: bool,
        planned: int,
    ) -> None:
        parts = self._halves(block_id)
        if status == BlockState.DONE:
            tally.add(numbers, reused)
            # Without output of their own the parent's rows still stand for a part's trades.
            parts = self._standing(block_id, planned)
        elif not parts:
            if status == BlockState.FAILED:
                tally.failed += planned
            else:
                tally.cancelled += planned
        for part in parts:
            if part.replaces is not None:
                tally.add(part.replaces, reused, sign=-1)
            self._resolve(
                tally, part.block.block_id, part.status, part.numbers, part.reused, planned=part.block.numbers
            )

    @cached_property
    def _planned(self) -> NDArray[np.int64]:
        """int64[n]: planned numbers of each block."""
        table = self.plan.columns("trades", "measures")
        lengths = pc.list_value_length(table.column("measures")).to_numpy()
        return np.asarray(table.column("trades").to_numpy() * lengths, np.int64)

    @property
    def planned_numbers(self) -> int:
        """Trades x measures over the plan's blocks."""
        return int(self._planned.sum())

    def blocks_counts(self) -> Counts:
        """The plan's blocks by state; one that was split is ok when all of its parts are."""
        counts = {"ok": 0, "reused": 0, "failed": 0, "cancelled": 0}
        split = {}
        for block_id in self.children:
            index = self.plan.index_of(block_id)
            if index is not None and self.status[index] != BlockState.DONE and self._halves(block_id):
                split[index] = self._verdict(block_id)
        for verdict in split.values():
            counts[verdict] += 1
        plain = np.ones(len(self.status), np.bool_)
        plain[list(split)] = False
        counts["ok"] += int((plain & (self.status == BlockState.DONE) & ~self.reused).sum())
        counts["reused"] += int((plain & (self.status == BlockState.DONE) & self.reused).sum())
        counts["failed"] += int((plain & (self.status == BlockState.FAILED)).sum())
        counts["cancelled"] += int((plain & (self.status == BlockState.PENDING)).sum())
        return Counts(planned=len(self.status), **counts)

    def _verdict(self, block_id: str) -> str:
        verdicts = set()
        for part in self._halves(block_id):
            if part.status == BlockState.DONE:
                verdicts.add("reused" if part.reused else "ok")
            elif self._halves(part.block.block_id):
                verdicts.add(self._verdict(part.block.block_id))
            else:
                verdicts.add("failed" if part.status == BlockState.FAILED else "cancelled")
        for verdict in ("cancelled", "failed", "ok"):
            if verdict in verdicts:
                return verdict
        return "reused"
