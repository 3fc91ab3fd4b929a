"""Market, history and scenarios as tables of files, and what any input has that is not read: files and columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Generic, TypeVar

from msgspec import Struct, field

from riskpipe.config.models import Inputs as InputSettings
from riskpipe.errors import Level, StorageError
from riskpipe.market.dates import AS_OF_COLUMNS, MARKET_COLUMNS, DateSource
from riskpipe.market.history_source import HISTORY_SCHEMA
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.stresses import SCENARIO_SCHEMA
from riskpipe.plan.fault import Fault
from riskpipe.store.columns import unknown_columns
from riskpipe.store.dataset import DataSet, open_dataset
from riskpipe.store.filesystem import MissingFileError
from riskpipe.store.table_schemas import SCHEMAS

KNOWN_COLUMNS = {
    "market": (*MARKET_SCHEMA.names, *MARKET_COLUMNS),
    "history": (*HISTORY_SCHEMA.names, *MARKET_SCHEMA.names, *AS_OF_COLUMNS),
    "scenarios": (*SCENARIO_SCHEMA.names, *SCHEMAS["reverse_stress"].names),
    "limits": ("book", "measure", "name", "warning", "limit", "direction"),
}
CALENDAR_COLUMNS = ("date",)
"""Of what is none of these: a calendar of one's own."""
_SHOWN = 12


T = TypeVar("T")


class ReadInput(Struct, Generic[T]):
    """What `read_input` found.

    :param content: None: it cannot be read, which an error among the faults says.
    :param sha256: of all its files; empty without content.
    :param faults: errors leave nothing to be priced.
    """

    content: T | None = None
    sha256: str = ""
    faults: list[Fault] = field(default_factory=list)


def read_input(name: str, location: str, settings: InputSettings, read: Callable[[DataSet], T]) -> ReadInput[T]:
    """One input, a file or a directory of files, with its faults but those of its rows.

    :param name: "market", "history" or "scenarios"; of others the key of the configuration that they are of.
    :param read: what is made of it; what it raises as StorageError is a fault, and so is a file that changes meanwhile.
    """
    found: ReadInput[T] = ReadInput()

    def tell(level: Level, file: str, rule: str, message: str) -> None:
        found.faults.append(Fault(level, name, file, "", rule, 0, (), message))

    try:
        files = open_dataset(location)
        for odd in files.faults:
            tell(odd.level, files.store.full_path(odd.path), odd.rule, odd.message)
        before = files.sha256()
        content = read(files)
        names = files.schema.names
        found.sha256 = files.sha256()
    except MissingFileError:
        key = name if "." in name else f"inputs.{name}"
        way_out = f"correct {key} in the configuration, or put the file there"
        tell(Level.ERROR, location, "no such file", f"there is no such file: {way_out}")
        return found
    except StorageError as error:
        tell(Level.ERROR, location, "unreadable", f"{error}: write the file anew")
        return found
    if found.sha256 != before:
        tell(Level.ERROR, location, "unreadable", "it changed while it was read: start again when it is written")
        return found
    found.content = content
    kind = "history" if name.startswith("inputs.histories.") else name
    known = KNOWN_COLUMNS.get(kind, CALENDAR_COLUMNS)
    if name == "market" and settings.market_date is not None:
        known = (*known, *filter(None, [DateSource(settings.market_date, location).column]))
    found.faults += unknown_column_faults(settings, name, location, names, known)
    return found


def table_sha256(location: str) -> str:
    """Of the files of an input, as `read_input` has it. :raises StorageError: it cannot be read."""
    files: DataSet = open_dataset(location)
    return files.sha256()


def unknown_column_faults(
    settings: InputSettings, table: str, file: str, names: Iterable[str], known: Collection[str], of: str = ""
) -> list[Fault]:
    """One fault of all columns that are not read, with the nearest known name of each; none if there are no such.

    :param of: the product, where the input has several.
    """
    unknown = unknown_columns(dict.fromkeys(names), {*known, *settings.extra_columns})
    if not unknown:
        return []
    texts = [
        f"{name!r}" + (f" (is it {near!r}?)" if near and near not in settings.extra_columns else "")
        for name, near in unknown.items()
    ]
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    plural = "columns are" if len(texts) > 1 else "column is"
    message = (
        f"{of or table}: unknown {plural} not read: {', '.join(texts[:_SHOWN])}{more}; "
        "correct the name, or list it in inputs.extra_columns"
    )
    column = ", ".join([*unknown][:_SHOWN])
    return [Fault(Level(settings.unknown_columns), table, file, column, "unknown_column", 0, (), message)]
