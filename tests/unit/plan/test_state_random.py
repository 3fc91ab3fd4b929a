"""Random histories of a run against a ledger kept trade by trade: accounts balance, leaves share out the trades."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plans import block, done, failed, split, stored
from selections import examples

from riskpipe.plan.accounting import Counts
from riskpipe.plan.block import Block, BlockState
from riskpipe.plan.state import RunState
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.store.records import OutputLost, Record

MEASURES = ("pv", "vega")


@dataclass
class Node:
    """What is known of one block or part: the outcome of every number of every row."""

    block: Block
    state: str = "pending"
    outcome: dict[int, list[str]] = field(default_factory=dict)
    session: int = -1
    halves: list[Node] = field(default_factory=list)
    repeats: list[Node] = field(default_factory=list)
    before: dict[int, list[str]] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[int, ...]:
        return self.block.rows or tuple(range(self.block.row_start, self.block.row_stop))

    def nodes(self) -> Iterator[Node]:
        yield self
        for child in (*self.halves, *self.repeats):
            yield from child.nodes()

    def complete(self) -> bool:
        return self.state == "done" or (bool(self.halves) and all(half.complete() for half in self.halves))

    def final(self, row: int) -> Node:
        """The node whose word counts for a trade."""
        if self.state == "done":
            complete = [node for node in self.repeats if node.complete() and row in node.rows]
            whole = [node for node in complete if node.rows == self.rows]
            return (whole or complete or [self])[-1].final(row) if complete else self
        for half in self.halves:
            if row in half.rows:
                return half.final(row)
        return self


class History:
    """A driver that meets with everything: records as it would write them, truth as a person would keep it."""

    def __init__(self, plan: StoredPlan, random: random.Random, *, loses: bool = True) -> None:
        self.plan = plan
        self.loses = loses
        self.random = random
        self.roots = [Node(planned) for _, planned in plan.blocks()]
        self.records: list[Record] = []
        self.session = 0
        self.state = RunState(plan)
        self.reopened: list[Node] = []

    def nodes(self) -> list[Node]:
        return [node for root in self.roots for node in root.nodes()]

    def tell(self, record: Record) -> None:
        self.records.append(record)
        self.state.apply(record)

    def step(self) -> None:
        if self.loses and self.random.random() < 0.1:
            self.lose()
            return
        todo = {b.block_id for b in self.state.pending()}
        node = self.random.choice([n for n in self.nodes() if n.block.block_id in todo] or [None])
        if node is None or self.random.random() < 0.1:
            self.start_session(retry=self.random.random() < 0.7)
        elif self.random.random() < 0.25 and len(node.rows) > 1:
            self.halve(node)
        elif self.random.random() < 0.2:
            node.state = "failed"
            self.tell(failed(node.block))
        else:
            self.finish(node)

    def lose(self) -> None:
        """An output is found missing: its block is done again, to the same numbers or, by other code, to others."""
        node = self.random.choice([n for n in self.nodes() if n.state == "done"] or [None])
        if node is not None:
            node.state, node.before = "pending", node.outcome
            self.tell(OutputLost(node.block.block_id, "a file", "it is missing"))

    def halve(self, node: Node) -> None:
        middle = len(node.rows) // 2
        rows = node.rows
        if node.block.rows is not None:
            children = [node.block.part(rows[:middle]), node.block.part(rows[middle:])]
        else:
            cut = rows[middle]
            children = [
                node.block.range_part(rows[0], cut, middle),
                node.block.range_part(cut, rows[-1] + 1, len(rows) - middle),
            ]
        node.state, node.halves, node.repeats = "split", [Node(child) for child in children], []
        self.tell(split(node.block, *((child, None) for child in children)))

    def finish(self, node: Node) -> None:
        outcome = {}
        for row in node.rows:
            kind = self.random.choice(["ok", "ok", "ok", "failed", "part"])
            words = {"ok": ["ok", self.random.choice(["ok", "na"])], "failed": ["failed"] * 2, "part": ["ok", "failed"]}
            outcome[row] = words[kind]
        same = _counted(outcome) == _counted(node.before)
        node.outcome = node.before if node.before and (same or self.random.random() < 0.6) else outcome
        if node.before and node.outcome is not node.before:
            node.repeats = []
        node.state, node.session = "done", self.session
        count = _counted(node.outcome)
        self.tell(done(node.block, count["ok"], count["failed"], count["na"]))

    def start_session(self, *, retry: bool) -> None:
        """Another process: what it knows is in the ledger alone."""
        self.session += 1
        for node in self.reopened:
            if node.state == "reopened":
                node.state = "failed"
        self.reopened = []
        self.state = RunState(self.plan).fold(self.records)
        self.state.start_session()
        if retry:
            self.state.reopen_failed()
            self.reopened = [node for node in self.nodes() if node.state == "failed"]
            for node in self.reopened:
                node.state = "reopened"
            for node in self.nodes():
                self.repeat(node)

    def repeat(self, node: Node) -> None:
        """As `riskpipe retry` with a selection of trades does; only of blocks whose word counts."""
        if not any(root.final(row) is node for root in self.roots for row in root.rows):
            return
        if node.state != "done":
            return
        taken = {row for part in self.state.repeats_of(node.block.block_id) for row in Node(part).rows}
        rows = [r for r in node.rows if "failed" in node.outcome[r] and r not in taken and self.random.random() < 0.6]
        if not rows:
            return
        count = Counter(word for words in node.outcome.values() for word in words)
        if len(rows) == len(node.rows) or any(set(node.outcome[r]) != {"failed"} for r in rows):
            whole = node.block
            part = (
                whole.part(whole.rows)
                if whole.rows is not None
                else whole.range_part(whole.row_start, whole.row_stop, whole.trades)
            )
            replaces = [count["ok"], count["failed"], count["na"]]
        else:
            part = node.block.part(tuple(rows))
            replaces = [0, 2 * len(rows), 0]
        node.repeats.append(Node(part))
        self.tell(split(node.block, (part, replaces), reason="retry"))

    def truth(self) -> Counts:
        tally: Counter[str] = Counter()
        for root in self.roots:
            for row in root.rows:
                node = root.final(row)
                if node.state != "done":
                    tally["failed" if node.state == "failed" else "cancelled"] += len(MEASURES)
                    continue
                for word in node.outcome[row]:
                    reused = word == "ok" and node.session < self.session
                    tally["reused" if reused else word] += 1
        return Counts(
            sum(root.block.numbers for root in self.roots),
            tally["ok"], tally["reused"], tally["failed"], tally["na"], tally["cancelled"],
        )  # fmt: skip


def _counted(outcome: dict[int, list[str]]) -> Counter[str]:
    return Counter(word for words in outcome.values() for word in words)


@pytest.fixture(scope="module")
def plan() -> Iterator[StoredPlan]:
    with tempfile.TemporaryDirectory() as directory:
        blocks = [block(k, trades=trades, measures=MEASURES) for k, trades in enumerate((6, 1, 3, 8))]
        yield stored(Path(directory) / "plan.parquet", blocks)


def _check(history: History, state: RunState) -> None:
    counts = state.numbers_counts(state.planned_numbers)
    assert counts.balanced
    assert counts == history.truth()
    assert state.blocks_counts().balanced


def _check_leaves(history: History, state: RunState) -> None:
    """Each trade in exactly one leaf, the one whose word counts; counted once in the sums."""
    for index, (root, (_, planned)) in enumerate(zip(history.roots, state.plan.blocks(), strict=True)):
        found: dict[int, str] = {}
        counted = 0
        for leaf in state.leaves(index, planned):
            rows = set(Node(leaf.block).rows)
            counted += 0 if leaf.repeats else len(rows)
            for part in leaf.replaced_by:
                assert set(Node(part).rows) <= rows
                rows -= set(Node(part).rows)
            assert not rows & found.keys(), "a trade in two leaves"
            found.update(dict.fromkeys(rows, leaf.block.block_id))
            assert leaf.status == BlockState.DONE or not leaf.replaced_by
        assert found == {row: root.final(row).block.block_id for row in root.rows}
        assert counted == planned.trades


@pytest.mark.slow
@examples(120)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_accounts_balance_after_every_event(plan: StoredPlan, seed: int, steps: int) -> None:
    history = History(plan, random.Random(seed))
    for _ in range(steps):
        history.step()
        _check(history, history.state)
    _check_leaves(history, history.state)


@examples(60)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_the_fold_of_the_ledger_is_the_state_that_wrote_it(plan: StoredPlan, seed: int, steps: int) -> None:
    history = History(plan, random.Random(seed))
    for _ in range(steps):
        history.step()
    again = RunState(plan).fold(history.records)

    assert again.planned_numbers == history.state.planned_numbers
    if not history.reopened:
        assert _left(again) == _left(history.state)
    # Reopening is not in the ledger: what was reopened and not reached is failed again.
    for node in history.reopened:
        if node.state == "reopened":
            node.state = "failed"
    history.session = 0
    for node in history.nodes():
        node.session = 0
    _check(history, again)
    _check_leaves(history, again)


@examples(60)
@given(st.integers(0, 2**32), st.integers(1, 50))
def test_the_order_between_blocks_does_not_matter(plan: StoredPlan, seed: int, steps: int) -> None:
    """Records of one block keep their order, and a part's come after the split that made it; else any order."""
    shuffler = random.Random(seed)
    history = History(plan, random.Random(seed), loses=False)
    for _ in range(steps):
        history.step()

    assert _facts(RunState(plan).fold(_shuffled(history.records, shuffler))) == _facts(
        RunState(plan).fold(history.records)
    )


def _shuffled(records: list[Record], shuffler: random.Random) -> list[Record]:
    queues: dict[str, list[Record]] = {}
    made_by: dict[str, str] = {}
    for record in records:
        queues.setdefault(record.block_id, []).append(record)
        for child in getattr(record, "children", ()):
            made_by[child["block"]["block_id"]] = record.block_id
    shuffled: list[Record] = []
    known = {block_id for block_id in queues if block_id not in made_by}
    while any(queues.values()):
        block_id = shuffler.choice(sorted(b for b in queues if queues[b] and b in known))
        record = queues[block_id].pop(0)
        known |= {child["block"]["block_id"] for child in getattr(record, "children", ())}
        shuffled.append(record)
    return shuffled


def _facts(state: RunState) -> tuple[object, ...]:
    return (state.numbers_counts(state.planned_numbers), state.blocks_counts(), *_left(state))


def _left(state: RunState) -> tuple[object, ...]:
    """What is to be done, and the leaves: all that does not depend on which session did it."""
    return (
        sorted(todo.block_id for todo in state.pending()),
        [
            sorted((leaf.block.block_id, int(leaf.status), leaf.repeats, len(leaf.replaced_by)) for leaf in found)
            for index, planned in state.plan.blocks()
            for found in [list(state.leaves(index, planned))]
        ],
    )
