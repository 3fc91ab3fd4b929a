"""Values one block of each product in a process of its own; prints what memory each took, as JSON.

usage: block_memory.py OUTPUT RUN
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

import psutil
import pyarrow as pa
from msgspec.structs import replace

from riskpipe.plan.block import Block
from riskpipe.plan.stored_plan import StoredPlan
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.run_block import BlockPayload, run_block


def resident() -> int:
    """Bytes, after what freed memory the allocators keep was given back."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


def compile_all(root: str, run_id: str, blocks: Iterable[Block]) -> None:
    """Every kernel that the blocks need is compiled, and kept: it takes memory that pricing does not."""
    for block in blocks:
        whole = block.range_part(block.row_start, block.row_stop, block.trades)
        run_block(BlockPayload(root, run_id, replace(whole, measures=("pv",), scenario_start=0, scenario_stop=1)))


def main(root: str, run_id: str, what: str = "measure") -> None:
    folder = RunFolder(open_store(root), run_id)
    path = folder.store.local_path(folder.plan)
    assert path is not None
    largest = {}
    for _, block in StoredPlan(path).blocks():
        known = largest.get(block.product)
        if known is None or block.projected_bytes > known.projected_bytes:
            largest[block.product] = block
    if what == "compile":
        compile_all(root, run_id, largest.values())
        return
    subprocess.run([sys.executable, __file__, root, run_id, "compile"], check=True)
    for block in largest.values():  # what a process holds once: compiled kernels, market, scenarios
        run_block(BlockPayload(root, run_id, block.range_part(block.row_start, block.row_start + 20, 20)))
    report = {}
    for product, block in largest.items():
        before = resident()
        result = run_block(BlockPayload(root, run_id, block))
        report[product] = {
            "before": before,
            "peak": result.peak_rss_bytes,
            "projected": block.projected_bytes,
            "trades": block.trades,
        }
    print(json.dumps(report))  # noqa: T201


main(*sys.argv[1:])
