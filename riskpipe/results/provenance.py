"""Where a published figure is from: files with their checksums, block, engine, session, attempt, worker."""

from __future__ import annotations

import json
from typing import Any

from riskpipe.results.find import PUBLISHED, Results
from riskpipe.runs.recorded_files import recorded_files
from riskpipe.store.ledger import read_ledger
from riskpipe.store.records import BlockDone, SessionStarted
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.spec import read_spec


def provenance(
    folder: RunFolder, results: Results, table: str, file: str | None, block_id: str | None
) -> dict[str, Any]:
    """Of a figure of a table.

    :param file: the trade file that it is of; None: of many. :param block_id: that made it; None: many did.
    """
    spec, recorded = read_spec(folder), recorded_files(folder)
    hashes: dict[str, str] = json.loads(recorded.read(folder.inputs) or b"{}")
    inputs = {name: sha256 for name, sha256 in hashes.items() if not name.startswith("portfolio/")}
    if file is not None:
        inputs = {f"portfolio/{file}": hashes.get(f"portfolio/{file}", ""), **inputs}
    else:
        inputs["portfolio"] = f"{sum(name.startswith('portfolio/') for name in hashes)} files, see inputs.json"
    found = results.files.get(table, ())
    if results.origin != PUBLISHED and block_id is not None:
        found = [source for source in found if source.path == folder.block_output(table, block_id)]
    return {
        "run_id": folder.run_id,
        "origin": results.origin,
        "table": table,
        "files": {source.path: source.sha256 for source in found},
        "inputs": inputs,
        "config_sha256": spec.config_sha256,
        "inputs_sha256": spec.inputs_sha256,
        "planned_by": spec.engine_version,
        "block": None if block_id is None else _block(folder, block_id),
    }


def _block(folder: RunFolder, block_id: str) -> dict[str, Any]:
    """What the ledger has of the block's last attempt."""
    found: dict[str, Any] = {"block_id": block_id}
    session = engine = ""
    for record in read_ledger(folder):
        if isinstance(record, SessionStarted):
            session, engine = record.session, record.version
        elif isinstance(record, BlockDone) and record.block_id == block_id:
            found |= {
                "session": session,
                "engine_version": engine,
                "attempt": record.attempt,
                "worker": record.worker,
                "host": record.host,
                "parent_block_id": record.parent_block_id,
                "outputs": {name: file.sha256 for name, file in record.outputs.items()},
            }
    return found
