"""Documents with their checksum in them: every bit of one counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from riskpipe.store.sealed import broken_lines, is_sealed_page, sealed, sealed_line, sealed_page, unsealed

VALUE = {"schema_version": 1, "rate": 0.1 + 0.2, "days": {"2026-11-20": ["ä", None, True]}}
PLAIN = {"rate": 1.5, "days": {"2026-11-20": ["a", None, True], "none": []}}
BEYOND = {"small": 1e-05, "large": 1e22, "text": "ä"}
"""Written otherwise by the quick way to tell that a document is whole."""
LINES = "".join(sealed_line({"at": "08:00", "message": text}) for text in ("begun", 'said "yes"', "ended")).encode()
PAGE = sealed_page("<html><body>42</body></html>")


def flipped(content: bytes) -> Iterator[bytes]:
    for at in range(len(content)):
        for bit in range(8):
            yield content[:at] + bytes([content[at] ^ 1 << bit]) + content[at + 1 :]


def is_sound(content: bytes) -> bool:
    try:
        unsealed(content)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("content", "sound"),
    [
        (sealed(VALUE), is_sound),
        (sealed(PLAIN), is_sound),
        (sealed(BEYOND), is_sound),
        (PAGE, is_sealed_page),
        (LINES, lambda content: not broken_lines(content)),
    ],
    ids=["document", "plain document", "other numbers", "page", "lines"],
)
def test_each_bit_counts(content: bytes, sound: Callable[[bytes], bool]) -> None:
    assert sound(content)
    assert not [changed for changed in flipped(content) if sound(changed)]


@pytest.mark.parametrize("value", [VALUE, PLAIN, BEYOND, {"seed": 1 << 70}, {"file": "a\udc80.parquet"}])
def test_a_document_is_what_it_was(value: dict[str, Any]) -> None:
    assert unsealed(sealed(value)) == value


def test_documents_of_earlier_versions_have_no_checksum() -> None:
    assert unsealed(b'{"a": 1}') == {"a": 1}
    for content in (b'{"a": 1}', b"[]", b"{", b"\xff"):
        with pytest.raises(ValueError):
            unsealed(content, always=True)


def test_lines_that_are_not_what_was_written_are_numbered() -> None:
    assert broken_lines(LINES + b'{"at": "07:00", "message": "added by hand"}\n' + LINES) == [4]
    assert broken_lines(LINES[:-3]) == [3]
    assert broken_lines(b"") == []
