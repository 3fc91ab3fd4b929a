"""`riskpipe init`: a sample book, market, history and configuration."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskpipe.cli.invocation import Invocation
from riskpipe.cli.text import plural, size
from riskpipe.errors import ExitCode
from riskpipe.structs import asdict

if TYPE_CHECKING:
    from riskpipe.sample.next_portfolio import Changes


def init(
    invocation: Invocation,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="A new or empty directory.")] = Path(),
    trades: Annotated[int, typer.Option("--trades", min=1, help="Trades in the book.")] = 20_000,
    scenarios: Annotated[int, typer.Option("--scenarios", min=1, help="One-day moves in the history.")] = 500,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier sample.")] = False,
) -> ExitCode:
    """Write a sample book with its market, history, stresses and a commented configuration, and its next day.

    \b
    Examples:
    riskpipe init demo
    riskpipe init demo --trades 500 --scenarios 60 --seed 7
    """
    from riskpipe.config import schema_text
    from riskpipe.errors import UsageError
    from riskpipe.sample.writer import write_next_day, write_sample, write_schema

    try:
        as_of: dict[str, Any] = {"as_of": date.fromisoformat(invocation.as_of)} if invocation.as_of else {}
    except ValueError:
        raise UsageError(f"--as-of: a date (YYYY-MM-DD) is wanted, got {invocation.as_of!r}") from None
    done = write_sample(directory, trades=trades, scenarios=scenarios, seed=seed, force=force, **as_of)
    later = write_next_day(directory, trades=trades, scenarios=scenarios, seed=seed, **as_of)
    write_schema(directory, schema_text())
    products = {name: product.trades for name, product in done.products.items()}
    invocation.answer(
        {
            "directory": str(done.directory),
            "config": str(done.config),
            "trades": done.trades,
            "products": products,
            "factors": done.factors,
            "scenarios": done.scenarios,
            "stresses": done.stresses,
            "bytes": done.bytes,
            "next_day": {"as_of": later.as_of.isoformat(), "config": str(later.config), **asdict(later.changes)},
        },
        [
            f"{done.directory}: {size(done.bytes)}",
            f"  {plural(done.trades, 'trade')} of {plural(len(products), 'product')}: {', '.join(products)}",
            f"  {plural(done.factors, 'risk factor')}, {plural(done.scenarios, 'day')} of history, "
            f"{plural(done.stresses, 'stress scenario')}",
            f"  configuration: {done.config}",
            f"  the next business day, {later.as_of}: {later.config}: {_said(later.changes)}",
            f"next: riskpipe run{_config_option(done.config)}",
        ],
    )
    return ExitCode.DONE


def _said(changes: Changes) -> str:
    counts = {
        "new": changes.new,
        "amended": changes.amended,
        "cancelled": changes.cancelled,
        "matured": changes.matured,
    }
    return f"{', '.join(f'{count} {name}' for name, count in counts.items())} of the trades"


def _config_option(config: Path) -> str:
    import shlex

    here = config.resolve().parent == Path.cwd()
    return "" if here else f" -c {shlex.quote(str(config))}"
