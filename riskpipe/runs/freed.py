"""Runs of which `runs gc` has freed something: what is left of them, what they can still do, and what they cannot."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

from riskpipe.errors import UsageError
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sealed import sealed, unsealed


class Left(StrEnum):
    """How much there is of a run, most first."""

    WHOLE = "whole"
    INPUTS = "inputs"
    """No block outputs, and nothing that was combined of them."""
    ACCOUNT = "account"
    """Nor the market, the scenarios and the trades' digests that it was valued with: only what became of it."""

    @property
    def rank(self) -> int:
        return list(Left).index(self)


CAN = {
    Left.WHOLE: ("explain", "retry", "reuse", "publish again"),
    Left.INPUTS: ("explain", "P&L of the next day"),
    Left.ACCOUNT: ("show", "report"),
}
"""What a run can be used for; what is published can be read, exported and compared in any case."""


def free(folder: RunFolder, left: Left, now: datetime, size: int) -> None:
    """Delete all but what is to be left. The record comes first: a crash leaves nothing unsaid.

    :param size: bytes that this frees; the record has the sum of all times.
    """
    before = (freed(folder) or {}).get("bytes", 0)
    record = {
        "at": now.isoformat(timespec="seconds"),
        "bytes": before + size,
        "left": left.value,
        "can": list(CAN[left]),
    }
    folder.store.write_bytes(folder.freed, sealed(record))
    for directory in (folder.block_outputs, folder.combined, folder.staging):
        folder.store.delete_tree(directory)
    if left is Left.ACCOUNT:
        for path in folder.valued_with:
            folder.store.delete(path)


def freed(folder: RunFolder) -> dict[str, Any] | None:
    """What was freed of a run, and when; None: nothing."""
    try:
        return unsealed(folder.store.read_bytes(folder.freed))
    except MissingFileError:
        return None
    except ValueError:
        return {"at": "some time"}


def left_of(folder: RunFolder) -> Left:
    """How much there is of a run, as its record has it; where that is damaged, as its files have it."""
    record = freed(folder)
    if record is None:
        return Left.WHOLE
    try:
        return Left(record["left"])
    except (KeyError, ValueError):
        return Left.INPUTS if folder.store.exists(folder.market) else Left.ACCOUNT


def files_gone(folder: RunFolder) -> Iterator[str]:
    """Of the files that were written with the plan, those that were freed."""
    if left_of(folder) is Left.ACCOUNT:
        yield from folder.valued_with


def refuse_freed(folder: RunFolder, what: str, needed: Left = Left.WHOLE) -> None:
    """:param what: is to be done to it. :param needed: so much of it. :raises UsageError: it is not there any more."""
    left = left_of(folder)
    if left.rank > needed.rank:
        of = "its blocks" if needed is Left.WHOLE else "its market and scenarios"
        raise UsageError(
            f"run {folder.run_id} cannot be {what}: `runs gc` freed {of} ({(freed(folder) or {}).get('at')}); what is "
            "published of it stands; `riskpipe run --resume never` makes a new run"
        )
