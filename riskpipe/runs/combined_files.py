"""What is combined of blocks' outputs, and the tree of sums: its shape follows the plan, its files the content.

What is made of the outputs of neighbours (plan.neighbours) is made as soon as all of these are done, by whoever drives
them: after the last block of a run little is left, and nothing for each block.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np

from riskpipe.plan.block import Block, BlockState, digest_id
from riskpipe.plan.neighbours import FAN_IN, Group
from riskpipe.plan.state import RunState
from riskpipe.store.checksums import content_sha256
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sorted_merge import Source
from riskpipe.store.written_files import WrittenFile
from riskpipe.valuation.book_sums import PartialFile, SumPayload

SUMS = "partials"


class CombinedFiles:
    """The combined files that are in place, and the sums that are to be made.

    :ivar top: the level of the group that all blocks are in.

    A combined file is named by the outputs that it is made of, so a file that is recorded is the right one, also after
    a retry has changed what belongs to it. What is recorded of a group stands until one of its blocks changes.
    """

    def __init__(self, folder: RunFolder, blocks: int) -> None:
        self._folder = folder
        self.blocks = blocks
        self._open = np.array([len(group.blocks(blocks)) for group in self.groups()], np.int32)
        self.top = next(level for level in itertools.count() if Group.how_many(level, blocks) <= 1)
        self._done: dict[str, WrittenFile] = {}
        self._of_groups: dict[str, dict[Group, str]] = {}
        self.roots: tuple[str, ...] = ()

    def done(self, name: str, file: WrittenFile) -> None:
        """A combined file is in place."""
        self._done[name] = file

    def done_of_group(self, table: str, group: Group, name: str) -> None:
        """That file holds what all blocks of a group have of a table."""
        self._of_groups.setdefault(table, {})[group] = name

    def of_group(self, table: str, group: Group) -> str | None:
        """The name of such a file, if one is in place."""
        name = self._of_groups.get(table, {}).get(group)
        return name if name in self._done else None

    def changed(self, index: int) -> None:
        """What was made of the groups of a block is not what belongs to them any more. :param index: in the plan."""
        for names in self._of_groups.values():
            for level in range(self.top + 1):
                names.pop(Group.of_block(index, level), None)

    def groups(self, level: int = 0) -> Iterator[Group]:
        """All of a level, in order."""
        return (Group(level, index) for index in range(Group.how_many(level, self.blocks)))

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

    def completed_by(self, block: Block, state: RunState) -> Group | None:
        """The block's group, when this block was the last of it; one with parts is for the end."""
        index = state.plan.index_of(block.block_id) if block.parent is None else None
        if index is None:
            return None
        group = Group.of_block(index)
        self._open[group.number] -= 1
        return group if self._open[group.number] == 0 else None

    def sum_of(self, group: Group, state: RunState) -> SumPayload:
        """What makes the sums of a group. Those of the level below, if there is one, are in place."""
        if group.level == 0:
            return self._payload(self._files(state, group), group if self.is_plain(group, state) else None)
        names = [self.of_group(SUMS, member) for member in group.members(self.blocks)]
        return self._payload(tuple(self.sums(name) for name in names if name is not None), group)

    def has_sums_below(self, group: Group) -> bool:
        """Whether the sums of all groups of a group are in place, and no retry has changed what is in them."""
        return all(self.of_group(SUMS, member) is not None for member in group.members(self.blocks))

    def is_plain(self, group: Group, state: RunState) -> bool:
        """Whether all that belongs to a group is its blocks' own outputs, which change no more unless that is told."""
        blocks = group.blocks(self.blocks)
        done = bool(np.all(state.status[blocks.start : blocks.stop] == BlockState.DONE))
        return done and not (state.children and any(state.plan.id_at(k) in state.children for k in blocks))

    def levels(self, state: RunState) -> Iterator[Iterator[SumPayload]]:
        """Payloads that are left, level after level, each to be run before the next is taken; then `roots` is set."""
        names: list[str] = []
        yield self._left(self.groups(), partial(self.sum_of, state=state), names)
        for level in itertools.count(1):
            if len(names) <= FAN_IN:
                break
            below, names = names, []
            yield self._left(self.groups(level), partial(self._sum_of_sums, below), names)
        self.roots = tuple(names)

    def _left(
        self, groups: Iterable[Group], payload_of: Callable[[Group], SumPayload], names: list[str]
    ) -> Iterator[SumPayload]:
        for group in groups:
            name = self.of_group(SUMS, group)
            if name is None:
                payload = payload_of(group)
                name = payload.name
                if name not in self._done:
                    yield payload
            names.append(name)

    def _sum_of_sums(self, below: Sequence[str], group: Group) -> SumPayload:
        """:param below: names of the sums of all groups of the level below."""
        files = map(self.sums, below[group.number * FAN_IN : (group.number + 1) * FAN_IN])
        return self._payload(tuple(files), group if self.has_sums_below(group) else None)

    def _files(self, state: RunState, group: Group) -> tuple[PartialFile, ...]:
        files: list[PartialFile] = []
        for index in group.blocks(self.blocks):
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

    def _payload(self, files: tuple[PartialFile, ...], group: Group | None = None) -> SumPayload:
        name = digest_id("sum", [(file.path, file.repeats, file.void, file.sha256) for file in files])
        return SumPayload(*self._folder.place, name, files, group)
