"""files/as-of.sh: the day of a run, from the time that it was due."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from helm_chart import CHART

TUESDAY = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)


def called(directory: Path, *arguments: str, job: str = "", zone: str = "UTC") -> list[str]:
    """The arguments that riskpipe gets."""
    program = directory / "riskpipe"
    program.write_text('#!/bin/sh\nfor argument; do echo "$argument"; done\n')
    program.chmod(0o755)
    environment = {"PATH": f"{directory}:{os.environ['PATH']}", "JOB_NAME": job, "TZ": zone}
    done = subprocess.run(
        ["sh", str(CHART / "files" / "as-of.sh"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def named(due: datetime, unit: int = 60) -> str:
    return f"risk-riskpipe-{int(due.timestamp()) // unit}"


@pytest.mark.parametrize(
    ("day", "days_after_tuesday", "expected"),
    [
        ("today", 0, "2026-11-24"),
        ("yesterday", 0, "2026-11-23"),
        ("previous-weekday", 0, "2026-11-23"),
        ("previous-weekday", -1, "2026-11-20"),
        ("previous-weekday", -2, "2026-11-20"),
        ("previous-weekday", -3, "2026-11-20"),
        ("2026-02-28", 0, "2026-02-28"),
    ],
)
@pytest.mark.parametrize("unit", [60, 1], ids=["minutes", "seconds"])
def test_day(tmp_path: Path, day: str, days_after_tuesday: int, expected: str, unit: int) -> None:
    due = TUESDAY + timedelta(days=days_after_tuesday)

    assert called(tmp_path, day, "run", job=named(due, unit)) == ["run", "--as-of", expected]


def test_the_zone_decides_which_day_it_is(tmp_path: Path) -> None:
    assert called(tmp_path, "today", "run", job=named(TUESDAY), zone="America/New_York")[-1] == "2026-11-23"


@pytest.mark.parametrize("job", ["", "rerun-1", "risk-riskpipe-now", "risk-riskpipe-rerun-x7k2p"])
def test_a_job_of_another_name_counts_from_now(tmp_path: Path, job: str) -> None:
    before = datetime.now(UTC).date()
    found = date.fromisoformat(called(tmp_path, "today", "run", job=job)[-1])

    assert before <= found <= datetime.now(UTC).date()


def test_the_date_is_put_into_arguments_which_stay_whole(tmp_path: Path) -> None:
    arguments = ("run", "--set", "inputs.portfolio=/data/{as_of}/my book", "--select", "book:*; echo $HOME 'x'")

    found = called(tmp_path, "yesterday", *arguments, job=named(TUESDAY))

    assert found == [
        *("run", "--set", "inputs.portfolio=/data/2026-11-23/my book"),
        *("--select", "book:*; echo $HOME 'x'", "--as-of", "2026-11-23"),
    ]


def test_a_day_that_is_none_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        called(tmp_path, "2026-02-30", "run")
