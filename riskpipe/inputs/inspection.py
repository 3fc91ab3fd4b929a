"""What was found so far of inputs that are being looked at together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from msgspec import Struct, field

from riskpipe.config import Settings
from riskpipe.errors import Level
from riskpipe.inputs.input_tables import read_input
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import MarketFault, days_of
from riskpipe.plan.fault import Fault
from riskpipe.products.catalogue import Catalogue
from riskpipe.store.dataset import DataSet
from riskpipe.store.filesystem import Store
from riskpipe.structs import asdict

T = TypeVar("T")


class Inspection(Struct):
    """The faults of all inputs, and the hashes of those that could be read.

    :param blocking: those of `faults` that stand in the way of pricing anything.
    :param calendars: name of one's own -> what it is called everywhere (`market.own_calendars`).
    """

    settings: Settings
    products: Catalogue
    portfolio: Store
    faults: list[Fault] = field(default_factory=list)
    blocking: list[Fault] = field(default_factory=list)
    hashes: dict[str, str] = field(default_factory=dict)
    calendars: dict[str, str] = field(default_factory=dict)

    @property
    def conventions(self) -> Conventions:
        return self.settings.conventions().with_calendars(self.calendars)

    @property
    def as_of(self) -> int:
        return days_of(self.settings.as_of)

    def add(self, fault: Fault, *, blocking: bool) -> None:
        self.faults.append(fault)
        if blocking:
            self.blocking.append(fault)

    def add_found(self, table: str, location: str, fault: MarketFault, *, blocking: bool) -> None:
        """A fault of a table that is not the portfolio."""
        self.add(
            Fault(fault.level, table, location, fault.column, fault.rule, fault.rows, fault.sample, fault.message),
            blocking=blocking,
        )

    def read(self, name: str, location: str, read: Callable[[DataSet], T]) -> T | None:
        """What is made of an input; None where it cannot be read, which is a fault that stands in the way."""
        found = read_input(name, location, self.settings.inputs, read)
        for fault in found.faults:
            self.add(fault, blocking=fault.level == Level.ERROR)
        if found.content is not None:
            self.hashes[name] = found.sha256
        return found.content

    # -- what a part of the inputs has left here, as JSON

    def mark(self) -> tuple[int, frozenset[str]]:
        """For `since`: where things stand."""
        return len(self.faults), frozenset(self.hashes)

    def since(self, mark: tuple[int, frozenset[str]]) -> dict[str, Any]:
        """Faults that are not blocking, and hashes, that came after a mark."""
        count, known = mark
        return {
            "faults": [asdict(fault) for fault in self.faults[count:]],
            "hashes": {name: sha256 for name, sha256 in self.hashes.items() if name not in known},
        }

    def replay(self, found: Mapping[str, Any]) -> None:
        """Add what `since` gave."""
        for each in found["faults"]:
            self.faults.append(Fault(**{**each, "level": Level(each["level"]), "sample": tuple(each["sample"])}))
        self.hashes.update(found["hashes"])
