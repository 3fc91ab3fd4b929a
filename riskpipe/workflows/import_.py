"""A book from elsewhere: read, written with a report of what was taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from msgspec import Struct

from riskpipe.errors import ExitCode, InputError
from riskpipe.importers.book import CONFIG_FILE, REPORT_FILE, Book, write_book
from riskpipe.importers.csv_files import read_csv_files
from riskpipe.importers.import_report import Entry, Report, Treatment
from riskpipe.importers.ore.ore_inputs import read_ore


class Imported(Struct, frozen=True):
    """What was written.

    :param counts: by kind of thing, then by treatment.
    :param left_out: what nothing stands for.
    """

    directory: Path
    config: Path
    report: Path
    products: dict[str, int]
    points: int
    counts: dict[str, dict[str, int]]
    left_out: tuple[Entry, ...]

    @property
    def exit_code(self) -> ExitCode:
        """Partial, where something of the portfolio or of its market was left out."""
        of_book = any(entry.kind != "analytic" for entry in self.left_out)
        return ExitCode.PARTIAL if of_book else ExitCode.DONE

    def to_json(self) -> dict[str, object]:
        return {
            "directory": str(self.directory),
            "config": str(self.config),
            "report": str(self.report),
            "products": self.products,
            "points": self.points,
            "counts": self.counts,
            "exit_code": int(self.exit_code),
        }


def import_ore(place: Path, directory: Path, *, force: bool = False) -> Imported:
    """Open Source Risk Engine's inputs as a book.

    :raises UsageError: it is no set of inputs of ORE, or the directory is not empty.
    :raises InputError: a file cannot be read, or no trade can be taken.
    """
    book, report, file = read_ore(place)
    return _written(book, report, directory, f"Open Source Risk Engine's {file.name}", force=force)


def import_csv(
    files: Sequence[Path], directory: Path, *, as_of: date | None, base_currency: str, force: bool = False
) -> Imported:
    """CSV files as a book, by the names of their columns.

    :raises UsageError: a file is no table that riskpipe has, no date is known, or the directory is not empty.
    :raises InputError: a file cannot be read, or no trade can be taken.
    """
    book, report = read_csv_files(files, as_of, base_currency)
    return _written(book, report, directory, "CSV files", force=force)


def _written(book: Book, report: Report, directory: Path, source: str, *, force: bool) -> Imported:
    if not book.rows and report.entries:
        why = next((entry for entry in report.entries if entry.kind == "trade"), report.entries[0])
        raise InputError(f"none of the trades can be taken; the first: {why.name}: {why.reason} ({why.place})")
    write_book(directory, book, report, source=source, force=force)
    products: dict[str, int] = {}
    for row in book.rows:
        products[row.product] = products.get(row.product, 0) + 1
    return Imported(
        directory=directory,
        config=directory / CONFIG_FILE,
        report=directory / REPORT_FILE,
        products=products,
        points=len(book.points),
        counts=report.counts(),
        left_out=tuple(entry for entry in report.entries if entry.treatment is Treatment.LEFT_OUT),
    )
