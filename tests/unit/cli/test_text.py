"""Numbers, durations and columns as people read them."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from riskpipe.cli import text as texts
from riskpipe.cli.text import columns, count, duration, plural, size


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (12345, "12,345"),
        (999_999, "999,999"),
        (1_250_000, "1.25M"),
        (40_000_000, "40.0M"),
        (3 * 10**9, "3.00G"),
    ],
)
def test_counts(number: int, text: str) -> None:
    assert count(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.04, "40 ms"),
        (0.0949, "95 ms"),
        (0.0951, "0.1 s"),
        (0.44, "0.4 s"),
        (12.4, "12 s"),
        (59.4, "59 s"),
        (185, "3:05"),
        (3723, "1:02:03"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("bytes_", "text"), [(512, "512 B"), (1536, "1.5 KiB"), (20 * 2**20, "20.0 MiB"), (2**41, "2.0 TiB")]
)
def test_sizes(bytes_: int, text: str) -> None:
    assert size(bytes_) == text


def test_plurals() -> None:
    assert [plural(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]


def test_columns() -> None:
    assert columns(["run", "blocks"], [["a", "1"], ["long", "1,000"]], [1]) == [
        "run   blocks",
        "a          1",
        "long   1,000",
    ]


# -- on a terminal


def _on_a_terminal(command: list[str], width: int) -> list[str]:
    """The lines that a program writes to a terminal of so many columns."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(command, stdout=its, stdin=subprocess.DEVNULL, env=environment) as process:
        os.close(its)
        written = b""
        with suppress(OSError):  # the end of what Linux lets be read of a terminal whose program has gone
            while piece := os.read(ours, 65536):
                written += piece
    os.close(ours)
    assert process.returncode == 0
    return written.decode().replace("\r\n", "\n").splitlines()


def test_tables_fit_the_terminal_and_are_lines_elsewhere(tmp_path: Path) -> None:
    config = tmp_path / "riskpipe.yaml"
    config.write_text("as_of: 2026-11-20\ninputs: {portfolio: p, market: m}\nmeasures: [pv, delta, vega, dv01]\n")
    command = [sys.executable, "-m", "riskpipe", "config", "show", "--origin", "-c", str(config)]
    piped = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    narrow, wide = _on_a_terminal(command, 60), _on_a_terminal(command, 1000)

    assert wide == piped
    assert max(map(len, piped)) > 60 >= max(map(len, narrow))
    assert narrow[0].split() == piped[0].split() == ["key", "value", "origin"]
    for column, word in ((0, "scenario_pnl"), (1, "delta,")):  # folded, nothing is cut off
        assert any(word in line for line in piped), column
        assert any(word in line for line in narrow), column
    assert "".join("".join(narrow).split()).count("default") == "".join("".join(piped).split()).count("default")


def test_a_cell_is_text_and_numbers_stay_at_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "terminal_width", lambda: 24)
    lines = columns(["book", "[bold]name[/]", "value"], [["rates", "a name of several words", "12.5"]], right=[2])
    assert max(map(len, lines)) <= 24
    assert lines[0].endswith("value")
    assert sum(line.endswith(" 12.5") for line in lines) == 1
    assert "[bold]" in "".join("".join(lines).split())
