"""What is combined of blocks' outputs, and the tree of sums: its shape follows the plan, its files the content.

`FAN_IN` neighbours of the plan are a group. What is made of a group's outputs is made as soon as all of its blocks are
done, by whoever drives them, so that after the last block of a run little is left, and nothing for each block.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from riskpipe.plan.block import Block, BlockState, digest_id
from riskpipe.plan.state import RunState
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.store.checksums import content_sha256
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sorted_merge import Source
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.book_sums import PartialFile, SumPayload

FAN_IN = 64
SUMS = "partials"


class CombinedFiles:
    """The combined files that are in place, and the sums that are to be made.

    A combined file is named by the outputs that it is made of, so a file that is recorded is the right one, also after
    a retry has changed what belongs to it. What is recorded of a group stands until one of its blocks changes.
    """

    def __init__(self, folder: RunFolder, blocks: int) -> None:
        self._folder = folder
        self._open = np.full(-(-blocks // FAN_IN), FAN_IN, np.int32)
        if blocks % FAN_IN:
            self._open[-1] = blocks % FAN_IN
        self._done: dict[str, WrittenFile] = {}
        self._of_groups: dict[str, dict[int, str]] = {}
        self.roots: tuple[str, ...] = ()

    def done(self, name: str, file: WrittenFile) -> None:
        """A combined file is in place."""
        self._done[name] = file

    def done_of_group(self, table: str, group: int, name: str) -> None:
        """That file holds what all blocks of a group have of a table."""
        self._of_groups.setdefault(table, {})[group] = name

    def of_group(self, table: str, group: int) -> str | None:
        """The name of such a file, if one is in place."""
        name = self._of_groups.get(table, {}).get(group)
        return name if name in self._done else None

    def changed(self, index: int) -> None:
        """What was made of the group of a block is not what belongs to it any more. :param index: in the plan."""
        for names in self._of_groups.values():
            names.pop(index // FAN_IN, None)

    @property
    def groups(self) -> int:
        return len(self._open)

    def lost(self, name: str) -> None:
        """A file is not in place any more."""
        self._done.pop(name, None)

    def forget_staged(self) -> None:
        """What was staged and went with its publication, or has another file in its place since an exchange."""
        store, merged = self._folder.store, f"{self._folder.merged}/"
        there = {entry.path: entry.bytes for entry in store.list_files(self._folder.staging)}
        for name, file in list(self._done.items()):
            if not file.path.startswith(f"{self._folder.staging}/"):
                continue
            # Merged files are named by their content, and held against it by whoever reads them.
            is_there = there.get(file.path) == file.bytes
            if not is_there or (not file.path.startswith(merged) and content_sha256(store, file.path) != file.sha256):
                self.lost(name)

    def has(self, name: str) -> bool:
        return name in self._done

    def sha256(self, name: str) -> str | None:
        """Of a file that is in place; None: it is not."""
        return self._done[name].sha256 if name in self._done else None

    def files(self) -> list[tuple[str, str, str]]:
        """Name, path and SHA-256 of all that is in place."""
        return [(name, file.path, file.sha256) for name, file in self._done.items()]

    def sums(self, name: str) -> PartialFile:
        """The file of partial sums of that name, as it is recorded."""
        return PartialFile(self._folder.combined_file(name), sha256=self.sha256(name))

    def file(self, name: str) -> WrittenFile:
        """A file that is in place."""
        return self._done[name]

    def source(self, name: str, path: str) -> Source:
        """The file of that name that stands for several outputs of a table, as far as it is recorded."""
        file = self._done.get(name)
        return Source(path) if file is None else Source(path, sha256=file.sha256, bytes=file.bytes)

    def begin(self, state: RunState) -> None:
        """Count what earlier sessions did."""
        finished = np.flatnonzero(state.status == BlockState.DONE) // FAN_IN
        self._open -= np.bincount(finished, minlength=len(self._open)).astype(np.int32)

    def completed_by(self, block: Block, state: RunState) -> int | None:
        """The block's group, when this block was the last of it; one with parts is for the end."""
        index = state.plan.index_of(block.block_id) if block.parent is None else None
        if index is None:
            return None
        group = index // FAN_IN
        self._open[group] -= 1
        return group if self._open[group] == 0 else None

    def sum_of(self, group: int, state: RunState) -> SumPayload:
        """What makes the sums of a group."""
        return self._payload(self._files(state, group), group if self.is_plain(group, state) else None)

    def is_plain(self, group: int, state: RunState) -> bool:
        """Whether all that belongs to a group is its blocks' own outputs, which change no more unless that is told."""
        blocks = self.blocks_of(group, state.plan)
        done = bool(np.all(state.status[blocks.start : blocks.stop] == BlockState.DONE))
        return done and not (state.children and any(state.plan.id_at(k) in state.children for k in blocks))

    @staticmethod
    def blocks_of(group: int, plan: StoredPlan) -> range:
        """Positions in the plan."""
        return range(group * FAN_IN, min((group + 1) * FAN_IN, len(plan)))

    def levels(self, state: RunState) -> Iterator[Iterator[SumPayload]]:
        """Payloads that are left, level after level, each to be run before the next is taken; then `roots` is set."""
        names: list[str] = []
        yield self._left_of_groups(state, names)
        while len(names) > FAN_IN:
            below, names = names, []
            groups = (below[k : k + FAN_IN] for k in range(0, len(below), FAN_IN))
            payloads = (self._payload(tuple(map(self.sums, group))) for group in groups)
            yield self._left(payloads, names)
        self.roots = tuple(names)

    def _left_of_groups(self, state: RunState, names: list[str]) -> Iterator[SumPayload]:
        for group in range(self.groups):
            name = self.of_group(SUMS, group)
            if name is not None:
                names.append(name)
            else:
                yield from self._left(iter([self.sum_of(group, state)]), names)

    def _left(self, payloads: Iterator[SumPayload], names: list[str]) -> Iterator[SumPayload]:
        for payload in payloads:
            if payload.files:
                names.append(payload.name)
                if payload.name not in self._done:
                    yield payload

    def _files(self, state: RunState, group: int) -> tuple[PartialFile, ...]:
        files: list[PartialFile] = []
        for index in self.blocks_of(group, state.plan):
            block_id = state.plan.id_at(index)
            if block_id not in state.children:
                done = bool(state.status[index] == BlockState.DONE)
                files.append(self._file(state, block_id, void=not done))
            else:
                files += [
                    self._file(
                        state, leaf.block.block_id, void=bool(leaf.status != BlockState.DONE), repeats=leaf.repeats
                    )
                    for leaf in state.leaves(index, state.plan.block(index))
                ]
        return tuple(files)

    def _file(self, state: RunState, block_id: str, *, void: bool, repeats: bool = False) -> PartialFile:
        path = self._folder.block_output("partials", block_id)
        return PartialFile(path, repeats, void, state.sha256("partials", block_id))

    def _payload(self, files: tuple[PartialFile, ...], group: int | None = None) -> SumPayload:
        name = digest_id("sum", [(file.path, file.repeats, file.void, file.sha256) for file in files])
        return SumPayload(*self._folder.place, name, files, group)
