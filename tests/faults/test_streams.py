"""Standard streams that are full, closed, gone, or take ASCII alone: messages are dropped, a run is not."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from selections import one_in
from spoiled import Book, run_directory


def shell(words: list[str], streams: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program under a shell's redirections; `| (exec <&-)` and the like may follow."""
    command = f"{shlex.join([sys.executable, '-m', 'riskpipe', *words])} {streams}"
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )


GONE = "2> >(exec true)"  # a reader that ends at once


@pytest.mark.parametrize(
    ("streams", "code", "json_"),
    [
        pytest.param(">/dev/full", 6, True, marks=pytest.mark.slow),
        pytest.param("2>/dev/full", 0, True, marks=pytest.mark.slow),
        pytest.param("<&- >&- 2>&-", 0, False, marks=pytest.mark.slow),
        pytest.param(GONE, 0, False, marks=pytest.mark.slow),
        ("> >(exec true)", 141, True),
        pytest.param(">/dev/full 2>/dev/full", 6, False, marks=pytest.mark.slow),
    ],
)
def test_a_run_is_published_whatever_becomes_of_its_streams(sound: Book, streams: str, code: int, json_: bool) -> None:
    words = [*sound.command("run", "--set", "measures=[pv]"), "--publish", "always"]
    words += ["--json", "--log-format", "json"] if json_ else []
    result = shell(words, streams)
    assert result.returncode == code, result.stderr
    assert (sound.output / "meta" / "CURRENT.json").exists()
    summary = json.loads((run_directory(sound.output) / "summary.json").read_text())
    assert (summary["state"], summary["published"]) == ("complete", True)
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr
    if streams == ">/dev/full":
        assert "stdout does not take the answer (No space left on device)" in result.stderr
        assert result.stderr.count("stdout does not take") == 1


@pytest.mark.parametrize("streams", [">/dev/full", ">&- 2>/dev/full", "> >(exec true)"])
@pytest.mark.parametrize("words", [["--help"], ["--version"], ["nonsense"]])
def test_no_way_out_is_a_traceback(words: list[str], streams: str) -> None:
    result = shell(words, streams)
    assert result.returncode in ((2,) if words == ["nonsense"] else (0, 6, 141)), result.stderr
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


@pytest.mark.parametrize(
    "environment",
    one_in(3, [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}]),
)
def test_output_in_ascii(tmp_path: Path, environment: dict[str, str]) -> None:
    """What it cannot say it spells; JSON is ASCII anyhow."""
    config = tmp_path / "riskpipe.yaml"
    config.write_text("as_of: 2026-11-20\ninputs: {portfolio: Zürich, market: nicht da.parquet}\n", encoding="utf-8")
    shown = shell(["config", "show", "-c", str(config)], "", **environment)
    assert shown.returncode == 0, shown.stderr
    assert "Z\\xfcrich" in shown.stdout or "Zürich" in shown.stdout
    checked = shell(["check", "-c", str(config)], "", **environment)
    assert checked.returncode == 3, checked.stderr
    assert "rich" in checked.stdout
