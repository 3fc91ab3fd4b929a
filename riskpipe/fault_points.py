"""Moments of a run that have names, so that tests can kill, stop or disturb a process there.

Nothing happens at them in a run: no setting and no variable of the environment makes it, only a function that a test
hands over in the same process. After fail(9) of FreeBSD and the injection points of PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class FaultPoint(StrEnum):
    """Each is reached before what it names is done."""

    WRITE_RUN = "write_run"
    """The first file of a new run is written; what follows it is planned."""
    PUT_FILE = "put_file"
    """A file of this machine, such as the plan, is copied into the output."""
    VALUE_BLOCKS = "value_blocks"
    """The driver begins with the blocks that are left."""
    VALUE = "value"
    """A block is valued, where that is done. Subject: the task."""
    SUM = "sum"
    """The sums of some blocks are added up. Subject: the task."""
    CONCATENATE = "concatenate"
    """P&L vectors that lie in several blocks are put end to end. Subject: the task."""
    MERGE = "merge"
    """Many files of a table are merged into one. Subject: the task."""
    PART = "part"
    """A file of the day is merged, or linked as a block wrote it. Subject: the task."""
    CLOSE_PARQUET = "close_parquet"
    """A Parquet file has its rows, not yet its footer nor its name."""
    PUT_OBJECT = "put_object"
    """An object is put into a bucket."""
    PUT_SEGMENT = "put_segment"
    """A segment of the ledger is written."""
    EVENT = "event"
    """The driver records what has become of a task. Subject: the event."""
    LEARN = "learn"
    """The first driver learns what a shard's driver has put into the ledger. Subject: the record."""
    PUBLISH = "publish"
    """The day's other tables are put together; its parts that workers made are in place. Subject: these, by table."""
    PLACE_TABLE = "place_table"
    """The day of one table is exchanged for the published one."""
    END_SESSION = "end_session"
    """All is done and published; the ledger does not say so yet."""


Handler = Callable[[FaultPoint, object], None]

_handler: Handler | None = None


def fault_point(point: FaultPoint, subject: object = None) -> None:
    """This moment is reached.

    :param subject: what it is about, where `FaultPoint` says so.
    """
    if _handler is not None:
        _handler(point, subject)


def handle_fault_points(handler: Handler | None) -> None:
    """Have a function called at every moment that is reached in this process, in whichever thread; None: none."""
    global _handler
    _handler = handler
