"""What the shell offers for what has been typed so far: runs of the output, keys of the configuration, products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from riskpipe.errors import RiskpipeError

if TYPE_CHECKING:
    from riskpipe.config import Settings

METHODS = ("book", "product", "trade", "scenario", "block", "status")


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of the configured output, the newest first, and the word for the newest."""
    found = ["latest"]
    with suppress(RiskpipeError, OSError):  # a shell that asks is told nothing of what is wrong
        from riskpipe.store.location import open_store
        from riskpipe.store.run_ids import list_runs

        found += reversed(list_runs(open_store(_settings(context).output)))
    return [each for each in found if each.startswith(incomplete)]


def keys(context: typer.Context, incomplete: str) -> list[str]:
    """Keys of the configuration one step at a time, with the sign of what follows: a dot, or the value."""
    from riskpipe.config.keys import properties, schema_at

    above, dot, last = incomplete.rpartition(".")
    path = tuple(above.split(".")) if dot else ()
    found = properties(schema_at(path) or {})
    return [
        f"{above}{dot}{key}{'.' if properties(schema_at((*path, key)) or {}) else '='}"
        for key in found
        if key.startswith(last)
    ]


def selections(context: typer.Context, incomplete: str) -> list[str]:
    """Methods, and the products of the configured portfolio; of several terms the last one is completed."""
    offered = [f"{method}:" for method in METHODS]
    with suppress(RiskpipeError, OSError):
        from riskpipe.store.location import open_store

        # The portfolio's own directories: what products there are in code takes half a second to import.
        found = open_store(_settings(context).inputs.portfolio).list_directories("")
        offered += [f"product:{name}" for name in sorted(found)]
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{each}" for each in offered if each.startswith(last)]


def _settings(context: typer.Context) -> Settings:
    """As the command line so far has them."""
    from riskpipe.config import load_settings

    def given(name: str) -> Iterator[object]:
        at: Any = context  # of which class contexts are depends on the version of Typer
        while at is not None:
            if at.params.get(name):
                yield at.params[name]
            at = at.parent

    config = next(given("config"), None)
    assignments = [text for values in given("set_") for text in values]  # type: ignore[attr-defined]
    return load_settings(None if config is None else str(config), assignments=tuple(assignments))
