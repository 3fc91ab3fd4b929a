"""A run that another version resumes than the one that planned it: refused unless asked, and named then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from riskpipe import __version__
from riskpipe.errors import UsageError
from riskpipe.plan.accounting import RunStatus
from riskpipe.plan.selection import Selection
from riskpipe.products.fx_forward import FxForward
from riskpipe.runs.publication import Publication
from riskpipe.workflows.publish import publish
from riskpipe.workflows.retry import retry
from riskpipe.workflows.run import run

OLD = "0.0.9"
IMPORTERS = ("runs.new_run", "runs.planning", "runs.session_start", "runs.engine", "inputs.opened", "valuation.spec")
CUT = ("partition.max_trades=60", "measures=[pv, stress]")


@pytest.fixture
def old(settings_of: Any, recorder: Any, monkeypatch: pytest.MonkeyPatch) -> RunStatus:
    """A run that was planned and priced by the version before, and not published."""
    with monkeypatch.context() as patched:
        for module in IMPORTERS:
            patched.setattr(f"riskpipe.{module}.__version__", OLD)
        status = run(settings_of(*CUT), Selection(), publication=Publication("never"), observer=recorder)
    assert status.state == "complete"
    return status


def harmed(output: Path) -> None:
    """A block is to be done again."""
    next((output / "runs").glob("*/blocks/valuations/*.parquet")).unlink()


def footers(output: Path) -> set[str]:
    files = list((output / "published").rglob("*.parquet"))
    assert files
    return {pq.read_metadata(path).metadata[b"riskpipe.engine_version"].decode() for path in files}


def test_another_version_is_refused_unless_asked(
    old: RunStatus, settings_of: Any, recorder: Any, tmp_path: Path
) -> None:
    settings, output = settings_of(*CUT), tmp_path / "output"
    harmed(output)
    for resumed in (
        lambda: run(settings, Selection(), resume=old.run_id, observer=recorder),
        lambda: retry(settings, old.run_id, Selection(), recorder),
    ):
        with pytest.raises(UsageError, match=rf"planned by riskpipe {OLD}, here {__version__}.*--accept-engine"):
            resumed()

    status = run(settings, Selection(), resume=old.run_id, accept_engine=True, observer=recorder)

    assert (status.state, status.published, status.blocks.ok) == ("complete", True, 1)
    assert footers(output) == {f"{OLD}, {__version__}"}
    blocks = pq.read_table(output / "runs" / old.run_id / "blocks.parquet").column("engine_version").to_pylist()
    assert sorted(set(blocks)) == [OLD, __version__]
    assert blocks.count(__version__) == 1


def test_whoever_publishes_took_part(old: RunStatus, settings_of: Any, tmp_path: Path) -> None:
    publish(settings_of(*CUT), "latest")
    assert footers(tmp_path / "output") == {f"{OLD}, {__version__}"}


def test_an_interrupted_run_of_another_version_is_left_for_a_new_one(
    old: RunStatus, settings_of: Any, recorder: Any, tmp_path: Path
) -> None:
    settings = settings_of(*CUT)
    (tmp_path / "output" / "runs" / old.run_id / "summary.json").unlink()

    status = run(settings, Selection(), observer=recorder)

    assert status.run_id != old.run_id
    assert footers(tmp_path / "output") == {__version__}
    assert any(f"planned by riskpipe {OLD}" in text for _, text in recorder.messages)


def test_a_product_of_another_version(settings_of: Any, recorder: Any, tmp_path: Path, monkeypatch: Any) -> None:
    settings = settings_of(*CUT)
    first = run(settings, Selection(), publication=Publication("never"), observer=recorder)
    harmed(tmp_path / "output")
    with monkeypatch.context() as patched:
        patched.setattr(FxForward, "version", FxForward.version + 1)
        with pytest.raises(UsageError, match=f"product fx_forward version {FxForward.version - 1}, here"):
            run(settings, Selection(), resume=first.run_id, observer=recorder)

    again = run(settings, Selection(), resume=first.run_id, observer=recorder)

    assert (again.run_id, again.published) == (first.run_id, True)
    assert footers(tmp_path / "output") == {__version__}
