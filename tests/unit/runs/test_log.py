"""The run's own log: kept when it can be, never in the way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from riskpipe.plan.accounting import RunStatus
from riskpipe.runs.log import RunLog
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder


@dataclass
class Told:
    messages: list[tuple[str, str]] = field(default_factory=list)

    def message(self, level: str, text: str) -> None:
        self.messages.append((level, text))

    def update(self, status: RunStatus) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(open_store(str(tmp_path)), "20261120-193055-3f9a1c")


def test_what_was_said_before_the_run_had_a_place_is_kept(tmp_path: Path, folder: RunFolder) -> None:
    log = RunLog(Told())
    log.message("info", "before")
    log.open(folder)
    log.message("warning", "after\ud800")
    log.close()
    lines = (tmp_path / folder.log).read_text().splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["before", "after\ud800"]


@pytest.mark.parametrize("before", [0, 2])
def test_a_log_that_cannot_be_written_is_told_once(tmp_path: Path, folder: RunFolder, before: int) -> None:
    """Seen to end the run before: a disk that is full, as /dev/full says it."""
    path = tmp_path / folder.log
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/full")
    told = Told()
    log = RunLog(told)
    for _ in range(before):
        log.message("info", "before")
    log.open(folder)
    for _ in range(3):
        log.message("info", "after")
    log.close()
    warnings = [text for level, text in told.messages if level == "warning"]
    assert len(warnings) == 1
    assert warnings[0].startswith(f"the log of the run ends here, the run goes on: cannot write {path}: the disk")
    assert [text for level, text in told.messages if level == "info"] == ["before"] * before + ["after"] * 3


def test_a_log_whose_place_is_taken(tmp_path: Path, folder: RunFolder) -> None:
    (tmp_path / folder.log).mkdir(parents=True)
    told = Told()
    log = RunLog(told)
    log.open(folder)
    log.message("info", "goes on")
    log.close()
    assert [level for level, _ in told.messages] == ["warning", "info"]
