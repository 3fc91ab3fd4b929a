"""What `riskpipe init` writes: a book, its market, history and stresses, and their configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct

from riskpipe.errors import UsageError
from riskpipe.market.dates import FOOTER_KEY
from riskpipe.market.factors import date_of, days_of
from riskpipe.sample.config_file import SCHEMA_FILE, config_text
from riskpipe.sample.curve_quotes import as_quoted
from riskpipe.sample.history_file import write_history
from riskpipe.sample.limits_file import limits_table
from riskpipe.sample.market_table import Point, market_table
from riskpipe.sample.next_market import moved_points, next_day, with_new_facts, write_longer_history
from riskpipe.sample.next_portfolio import Changes, write_changed_product
from riskpipe.sample.portfolio_files import ProductSummary, split_trades, write_product
from riskpipe.sample.pricing import Quotes
from riskpipe.sample.random_streams import generator
from riskpipe.sample.recipes import RECIPES
from riskpipe.sample.scenarios_file import STRESSES, stress_table
from riskpipe.sample.todays_market import fact_points, shockable_points
from riskpipe.store.filesystem import explained

CONFIG_FILE = "riskpipe.yaml"
NEXT_CONFIG_FILE = "next_day.yaml"
NEXT_DAY = "next_day"
"""The directory of its inputs, in that of the sample's."""
EARLIEST, LATEST = date(2000, 1, 1), date(2060, 12, 31)


class SampleSummary(Struct, frozen=True):
    """What was written.

    :param products: by product, in the order of the portfolio.
    :param factors: points that scenarios can move; `facts`: fixings and recoveries.
    :param bytes: of all files.
    """

    directory: Path
    config: Path
    trades: int
    products: dict[str, ProductSummary]
    factors: int
    facts: int
    scenarios: int
    stresses: int
    bytes: int


class NextDay(Struct, frozen=True):
    """What was written of the next business day: its date, its configuration, and what became of the book's trades."""

    as_of: date
    config: Path
    changes: Changes


def write_sample(
    directory: Path,
    *,
    trades: int = 20_000,
    scenarios: int = 500,
    seed: int = 7,
    as_of: date = date(2026, 11, 20),
    force: bool = False,
    products: Mapping[str, float] | None = None,
    quoted: bool = True,
) -> SampleSummary:
    """Write a seeded, plausible cross-asset sample; the same arguments give the same bytes.

    Trades and history are streamed: memory does not grow with either.

    :param trades: in all; every product gets at least one where there are enough.
    :param scenarios: one-day moves in the history, which has one more day than that.
    :param force: write into a directory that is not empty; an earlier sample in there is replaced.
    :param products: product -> share of the trades; None: a mixed book of all of them.
    :param quoted: whether the market gives some curves by their quotes (`riskpipe.sample.curve_quotes`).
    :raises UsageError: an argument means nothing, or the directory is not empty.
    :raises StorageError: the directory cannot be written.
    """
    _check_arguments(trades, scenarios, seed, as_of)
    counts = split_trades(trades, products)
    with explained(str(directory), "write"):
        _clear(directory, force)
        return _write(directory, counts, scenarios, seed, as_of, quoted=quoted)


def write_schema(directory: Path, schema: str) -> None:
    """Beside the configuration, for editors: the text of its JSON schema.

    :raises StorageError: it cannot be written.
    """
    with explained(str(directory), "write"):
        (directory / SCHEMA_FILE).write_text(schema, encoding="utf-8")


def _check_arguments(trades: int, scenarios: int, seed: int, as_of: date) -> None:
    for name, value, least in (("trades", trades, 1), ("scenarios", scenarios, 1), ("seed", seed, 0)):
        if value < least:
            raise UsageError(f"{name} must be {least} or more, not {value}")
    if not EARLIEST <= as_of <= LATEST:
        raise UsageError(f"as_of must lie between {EARLIEST} and {LATEST}, not {as_of}")


def _clear(directory: Path, force: bool) -> None:
    """Make the directory; with force, remove an earlier sample's trade files, perhaps more than today's."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file; name a directory that is new or empty")
    if directory.is_dir() and any(directory.iterdir()) and not force:
        raise UsageError(f"{directory} is not empty; name a new directory, or replace its sample with --force")
    (directory / "data" / "portfolio").mkdir(parents=True, exist_ok=True)
    for portfolio in (directory / "data" / "portfolio", directory / "data" / NEXT_DAY / "portfolio"):
        _clear_portfolio(portfolio)


def _clear_portfolio(portfolio: Path) -> None:
    for product in RECIPES:
        for stale in sorted((portfolio / product).glob("part-*.parquet")):
            stale.unlink()
        if (portfolio / product).is_dir() and not any((portfolio / product).iterdir()):
            (portfolio / product).rmdir()


def _write(
    directory: Path,
    counts: dict[str, int],
    scenarios: int,
    seed: int,
    as_of: date,
    *,
    quoted: bool,
) -> SampleSummary:
    today = days_of(as_of)
    data = directory / "data"
    points, facts = _market(counts, today, seed)
    quotes = Quotes(points)
    products = {
        product: write_product(data / "portfolio" / product, product, count, quotes, today, seed)
        for product, count in counts.items()
    }
    if quoted:
        points = as_quoted(points)
    _write_market(data / "market.parquet", [*points, *facts], as_of)
    write_history(data / "history.parquet", points, today, scenarios, seed)
    _write_table(data / "scenarios.parquet", stress_table())
    _write_table(data / "limits.parquet", limits_table(sum(counts.values())))
    others = [data / f"{name}.parquet" for name in ("market", "history", "scenarios", "limits")]
    config = directory / CONFIG_FILE
    config.write_text(config_text(as_of, scenarios), encoding="utf-8")
    return SampleSummary(
        directory=directory,
        config=config,
        trades=sum(summary.trades for summary in products.values()),
        products=products,
        factors=len(points),
        facts=len(facts),
        scenarios=scenarios,
        stresses=len(STRESSES),
        bytes=sum(s.bytes for s in products.values()) + sum(path.stat().st_size for path in others),
    )


def write_next_day(
    directory: Path, *, trades: int = 20_000, scenarios: int = 500, seed: int = 7, as_of: date = date(2026, 11, 20)
) -> NextDay:
    """Beside a sample, of the same arguments: the next business day's book, market, longer history and configuration.

    :raises StorageError: the directory cannot be written, or the sample is not there.
    """
    with explained(str(directory), "write"):
        return _write_next_day(directory, split_trades(trades, None), scenarios, seed, as_of)


def _write_next_day(directory: Path, counts: Mapping[str, int], scenarios: int, seed: int, as_of: date) -> NextDay:
    today, before, data = days_of(as_of), directory / "data", directory / "data" / NEXT_DAY
    later = next_day(today)
    points, facts = _market(counts, today, seed)
    quotes, (_, later_facts) = Quotes(points), _market(counts, later, seed)
    moved = moved_points(as_quoted(points), seed)
    changes = Changes()
    for product in counts:
        where = (data / "portfolio" / product, before / "portfolio" / product)
        changes += write_changed_product(*where, product, quotes, later, seed)
    _write_market(data / "market.parquet", [*moved, *with_new_facts(facts, later_facts)], date_of(later))
    write_longer_history(data / "history.parquet", before / "history.parquet", moved, later)
    _write_table(data / "scenarios.parquet", stress_table())
    _write_table(data / "limits.parquet", limits_table(sum(counts.values())))
    config = directory / NEXT_CONFIG_FILE
    text = config_text(date_of(later), scenarios + 1, data=f"data/{NEXT_DAY}", by_point=True)
    config.write_text(text, encoding="utf-8")
    return NextDay(date_of(later), config, changes)


def _market(products: Iterable[str], today: int, seed: int) -> tuple[list[Point], list[Point]]:
    """Points that scenarios can move, none by its quotes, and facts: those of every sample, and of these products."""
    recipes = [RECIPES[product] for product in products]
    # Recipes may need the same.
    extra = dict.fromkeys(point for recipe in recipes for point in recipe.points(today))
    facts = fact_points(today, generator(seed, "market", "fixings"))
    facts += dict.fromkeys(point for recipe in recipes for point in recipe.facts(today))
    return [*shockable_points(today), *extra], facts


def _write_market(path: Path, points: Sequence[Point], as_of: date) -> None:
    _write_table(path, market_table(points), {FOOTER_KEY: as_of.isoformat()})


def _write_table(path: Path, table: pa.Table, footer: Mapping[str, str] | None = None) -> None:
    with pq.ParquetWriter(path, table.schema, compression="zstd", store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(dict(footer or {}))
