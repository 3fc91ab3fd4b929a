"""One book valued twice, with other partitions: published, and as block files alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from riskpipe.config import Settings, load_settings
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.runs.publication import Publication
from riskpipe.workflows.run import run

MEASURES = "measures=[pv, delta, dv01, theta, bucketed_delta, stress, historical_var]"


@dataclass(frozen=True)
class Output:
    """An output with two runs of the same inputs."""

    path: Path
    book: Path
    published: str
    blocks: str

    def settings(self, *assignments: str) -> Settings:
        given = ("cluster.kind=serial", f"output={self.path}", MEASURES, *assignments)
        return load_settings(self.book / "riskpipe.yaml", assignments=given, environment={})

    def folder(self, run_id: str) -> Path:
        return self.path / "runs" / run_id

    def file(self, table: str) -> Path:
        """A block file of the unpublished run: the largest, by name where several are."""
        files = sorted((self.path / "runs" / self.blocks / "blocks" / table).glob("*.parquet"))
        return max(files, key=lambda path: pq.read_metadata(path).num_rows)

    def change(self, table: str, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
        """Rewrite the rows of a block file of the unpublished run."""
        self.rewrite(self.file(table), change)

    def rewrite(self, path: Path, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]) -> None:
        """Rewrite the rows of a file of the unpublished run, as if it had been written so."""
        before, content = pq.read_table(path), path.read_bytes()
        pq.write_table(pa.Table.from_pylist(change(before.to_pylist()), before.schema), path)
        for segment in (self.path / "runs" / self.blocks / "ledger").iterdir():
            _record(segment, _sha256(content), _sha256(path.read_bytes()))


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


def _record(segment: Path, before: bytes, after: bytes) -> None:
    """As if a block had written the file: another checksum in the ledger."""
    head, _, body = segment.read_bytes().partition(b"\n")
    if before in body:
        body = body.replace(before, after)
        header = json.dumps({**json.loads(head), "sha256": _sha256(body).decode()})
        segment.write_bytes(header.encode() + b"\n" + body)


@pytest.fixture(scope="session")
def two_runs(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Output:
    """Read only."""
    path = tmp_path_factory.mktemp("two-runs") / "output"
    output = Output(path, small_book, "", "")
    first = run(output.settings(), Selection(), resume="never", observer=SilentObserver())
    settings = output.settings("partition.max_trades=80", "partition.max_scenarios=60")
    second = run(settings, Selection(), resume="never", publication=Publication("never"), observer=SilentObserver())
    assert (first.state, second.state, second.published) == ("complete", "complete", False)
    return Output(path, small_book, first.run_id, second.run_id)


@pytest.fixture
def output(two_runs: Output, tmp_path: Path) -> Output:
    """A copy that a test may change."""
    path = tmp_path / "output"
    shutil.copytree(two_runs.path, path)
    return Output(path, two_runs.book, two_runs.published, two_runs.blocks)
