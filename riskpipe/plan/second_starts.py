"""Blocks that were started a second time since they took too long, and which attempt came first; told by the ledger."""

from __future__ import annotations

from msgspec import Struct, field

from riskpipe.store.records import BlockDone, BlockFailed, BlockStartedAgain, Record, SessionStarted


class SecondStarts(Struct):
    """Folded from the records of a run.

    :ivar started: how many there were. :ivar won: how many of them brought their block's result.
    :ivar running: by block, number of its second attempt and, of those that have not ended, number and worker.
    """

    started: int = 0
    won: int = 0
    running: dict[str, tuple[int, dict[int, str | None]]] = field(default_factory=dict)

    def apply(self, record: Record) -> dict[int, str | None]:
        """One step of the fold; when a block is done, the worker of the attempt that came too late, by its number."""
        if isinstance(record, BlockStartedAgain):
            self.started += 1
            attempts: dict[int, str | None] = {record.attempt - 1: record.worker, record.attempt: None}
            self.running[record.block_id] = record.attempt, attempts
        elif isinstance(record, SessionStarted):
            self.running.clear()
        elif isinstance(record, BlockFailed):
            _, attempts = self.running.get(record.block_id, (0, {}))
            attempts.pop(record.attempt, None)
        elif isinstance(record, BlockDone):
            second, attempts = self.running.pop(record.block_id, (0, {}))
            self.won += record.attempt == second
            attempts.pop(record.attempt, None)
            return attempts
        return {}
