"""What an import made of each thing that it found: taken, turned into something of the same value, or left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import astuple


class Treatment(StrEnum):
    """What became of a thing.

    :cvar TAKEN: it stands in riskpipe's inputs as it stood.
    :cvar TURNED: something else of the same value stands for it, such as zero rates for quotes.
    :cvar LEFT_OUT: nothing stands for it.
    """

    TAKEN = "taken"
    TURNED = "turned"
    LEFT_OUT = "left_out"


class Entry(Struct, frozen=True):
    """One thing that was found.

    :param kind: "trade", "curve", "index", "surface", "spot", "credit curve", "inflation curve", "fixings", "file", ...
    :param name: its id.
    :param detail: of trades the type that the source gives them.
    :param reason: why it is not simply taken; "" where it is.
    :param place: file and line.
    """

    treatment: Treatment
    kind: str
    name: str
    detail: str
    reason: str
    place: str


REPORT_SCHEMA = pa.schema([(name, pa.string()) for name in Entry.__struct_fields__])


class LeftOutError(Exception):
    """A thing cannot be taken; the message says why, without its name."""


class Report:
    """All entries, in the order in which they were made."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def taken(self, kind: str, name: str, place: str, detail: str = "") -> None:
        self.entries.append(Entry(Treatment.TAKEN, kind, name, detail, "", place))

    def turned(self, kind: str, name: str, place: str, reason: str, detail: str = "") -> None:
        self.entries.append(Entry(Treatment.TURNED, kind, name, detail, reason, place))

    def left_out(self, kind: str, name: str, place: str, reason: str, detail: str = "") -> None:
        self.entries.append(Entry(Treatment.LEFT_OUT, kind, name, detail, reason, place))

    def add(self, kind: str, name: str, place: str, turned: Iterable[str] = (), detail: str = "") -> None:
        """Taken, or turned where there are reasons to say so."""
        reasons = list(dict.fromkeys(turned))
        if reasons:
            self.turned(kind, name, place, "; ".join(reasons), detail)
        else:
            self.taken(kind, name, place, detail)

    def counts(self) -> dict[str, dict[str, int]]:
        """By kind, then by treatment; kinds in the order in which they first appear."""
        found: dict[str, Counter[str]] = {}
        for entry in self.entries:
            found.setdefault(entry.kind, Counter())[entry.treatment.value] += 1
        return {kind: {t.value: counter[t.value] for t in Treatment} for kind, counter in found.items()}

    def table(self) -> pa.Table:
        columns = zip(*(astuple(entry) for entry in self.entries), strict=True)
        arrays = [pa.array([str(value) for value in column], pa.string()) for column in columns]
        return pa.table(arrays, schema=REPORT_SCHEMA) if arrays else REPORT_SCHEMA.empty_table()
