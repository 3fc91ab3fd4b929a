"""Numbers, durations and columns as people read them."""

from __future__ import annotations

import pytest

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
