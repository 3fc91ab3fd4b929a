"""All of ORE's inputs into one book."""

from __future__ import annotations

from pathlib import Path

from riskpipe.importers.book import Book
from riskpipe.importers.import_report import LeftOutError, Report
from riskpipe.importers.ore.analytics import tell_analytics
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.portfolio_file import convert_portfolio
from riskpipe.importers.ore.setup import find_setup, read_setup


def read_ore(place: Path) -> tuple[Book, Report, Path]:
    """The book, what was made of each thing, and ORE's main file.

    :param place: of ORE's main file, or the directory that has it.
    :raises UsageError: it is no set of inputs of ORE.
    :raises InputError: a file cannot be read.
    """
    file = find_setup(place)
    setup = read_setup(file)
    report = Report()
    book = Book(setup.as_of, setup.base_currency)
    ore = OreMarket(setup, book, report)
    setup.need("portfolioFile")
    convert_portfolio(setup.existing("portfolioFile"), ore, book, report)
    _into_base(book, ore, report)
    tell_analytics(setup.analytics, report)
    return book, report, file


def _into_base(book: Book, ore: OreMarket, report: Report) -> None:
    """Exchange rates of all currencies of the book into the base currency."""
    currencies = {str(v) for row in book.rows for k, v in row.values.items() if k.endswith("currency")}
    for currency in sorted(currencies):
        try:
            ore.spot(currency, book.base_currency)
        except LeftOutError as error:
            report.left_out("spot", currency + book.base_currency, "", str(error))
