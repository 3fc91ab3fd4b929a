"""What the ledger keeps of an attempt at a block."""

from __future__ import annotations

from riskpipe.execute.task import Lost, Mishap, Raised, Task, TimedOut
from riskpipe.plan.block import Block
from riskpipe.store.records import BlockDone
from riskpipe.valuation.run_block import BlockResult


def cause_of(task: Task, mishap: Mishap) -> tuple[str, str]:
    """Reason and message of an attempt that failed."""
    match mishap:
        case Raised():
            return mishap.reason.value, mishap.message
        case Lost():
            return "WORKER_LOST", f"worker {mishap.worker} {mishap.how}"
        case TimedOut():
            return "TIMEOUT", f"not done after {task.timeout_seconds:g} s"


def done_record(block: Block, attempt: int, worker: str, queued_at: float, result: BlockResult) -> BlockDone:
    """What the ledger keeps of a block that is done."""
    return BlockDone(
        block_id=block.block_id,
        parent_block_id=block.parent,
        attempt=attempt,
        worker=worker,
        host=result.host,
        queued_at=queued_at,
        started_at=result.started_at,
        ended_at=result.ended_at,
        queue_s=max(result.started_at - queued_at, 0.0),
        fetch_s=result.fetch_s,
        price_s=result.price_s,
        write_s=result.write_s,
        cpu_s=result.cpu_s,
        peak_rss_bytes=result.peak_rss_bytes,
        projected_bytes=block.projected_bytes,
        projected_s=block.projected_seconds,
        rows=result.rows,
        bytes_in=result.bytes_in,
        bytes_out=result.bytes_out,
        ok=result.ok,
        failed=result.failed,
        not_applicable=result.not_applicable,
        outputs=result.outputs,
        vectors=result.vectors,
    )
