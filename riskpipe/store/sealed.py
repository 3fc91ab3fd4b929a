"""Documents that carry their own checksum: those that are read before anything could say what they must be.

A JSON object is written in one form alone (sorted keys, an indent of one), with the SHA-256 of the rest as "sha256":
any byte that is another is noticed, also one that leaves the values as they were. Pages and lines have it at their end.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

_CHECKSUM, _MARK = "sha256", "sealed"
_PAGE = re.compile(rb"\n<!-- sha256 ([0-9a-f]{64}) -->\n\Z")
_LINE = re.compile(rb'(.*), "crc32": "([0-9a-f]{8})"\}', re.S)


def sealed(value: Mapping[str, Any]) -> bytes:
    """A JSON object with its checksum. :param value: plain JSON types."""
    marked = {**value, _MARK: True}
    return _text({**marked, _CHECKSUM: _checksum(marked)})


def unsealed(content: bytes, always: bool = False) -> dict[str, Any]:
    """The object, as it was given to `sealed`.

    :param always: else one without a checksum, of earlier versions, is taken as it is.
    :raises ValueError: it is not what was written.
    """
    value = json.loads(content)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    if always or _CHECKSUM in value or _MARK in value:  # no bit makes both keys into others
        if not _is_whole(content):
            raise ValueError("its checksum is wrong")
        value.pop(_CHECKSUM)
        value.pop(_MARK, None)
    return value


@lru_cache(maxsize=16)
def _is_whole(content: bytes) -> bool:
    """Whether an object is what `sealed` wrote. A run reads some of its own dozens of times."""
    value = json.loads(content)
    said = value.pop(_CHECKSUM, None)
    if said != _checksum(value):
        return False
    whole = {**value, _CHECKSUM: said}
    return _quick_text(whole) == content or _text(whole) == content


def _checksum(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _quick_text(value: Mapping[str, Any]) -> bytes:
    """As `_text` in a tenth of the time, but for letters beyond ASCII and some ways to write a number; nothing where
    it has half of a surrogate pair, as names of files that are not UTF-8 do."""
    try:
        return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1)
    except UnicodeEncodeError:
        return b""


def _text(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()


def sealed_page(page: str) -> bytes:
    """A page of HTML with its checksum in a comment, last."""
    body = page.encode()
    return body + f"\n<!-- sha256 {hashlib.sha256(body).hexdigest()} -->\n".encode()


def is_sealed_page(content: bytes) -> bool:
    """Whether a page is what `sealed_page` wrote."""
    found = _PAGE.search(content)
    return found is not None and hashlib.sha256(content[: found.start()]).hexdigest().encode() == found[1]


def sealed_line(entry: Mapping[str, Any]) -> str:
    """A line of JSON with its CRC-32, which tells every change of a bit; with the line feed."""
    text = json.dumps(entry)
    return f'{text[:-1]}, "crc32": "{zlib.crc32(text.encode()):08x}"}}\n'


def broken_lines(content: bytes) -> list[int]:
    """Numbers (from 1) of the lines that are not what `sealed_line` wrote."""
    *lines, rest = content.split(b"\n")
    broken = [number for number, line in enumerate(lines, 1) if not _is_sound(line)]
    return broken + ([len(lines) + 1] if rest else [])


def _is_sound(line: bytes) -> bool:
    found = _LINE.fullmatch(line)
    return found is not None and zlib.crc32(found[1] + b"}") == int(found[2], 16)
