"""What the shell offers, asked as the shell asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from riskpipe.cli import completion
from riskpipe.cli.app import app
from riskpipe.store.location import open_store
from riskpipe.store.run_folder import RunFolder

RUNS = ("20261120-193055-3f9a1c-1", "20261121-193055-aaaaaa-2")


def offered(parameter: str, incomplete: str, *arguments: str) -> list[str]:
    """Of a parameter of `run` or `report`, after the arguments."""
    program = typer.main.get_command(app)
    context = program.make_context("riskpipe", list(arguments), resilient_parsing=True)
    _, command, words = program.resolve_command(context, [*context._protected_args, *context.args])
    context = command.make_context(command.name, words, parent=context, resilient_parsing=True)
    (found,) = (each for each in command.params if each.name == parameter)
    return [item.value for item in found.shell_complete(context, incomplete)]


@pytest.fixture
def config(tmp_path: Path) -> str:
    store = open_store(str(tmp_path / "output"))
    for run in RUNS:
        store.write_bytes(RunFolder(store, run).run, b"{}")
    for product in ("bond", "swap", "swaption"):
        (tmp_path / "portfolio" / product).mkdir(parents=True)
    path = tmp_path / "riskpipe.yaml"
    path.write_text(
        "as_of: 2026-11-20\nbase_currency: USD\ninputs: {portfolio: portfolio, market: m.parquet}\n"
        "measures: [pv]\noutput: output\n"
    )
    return str(path)


def test_runs_the_newest_first(config: str) -> None:
    assert offered("run", "", "report", "-c", config) == ["latest", *reversed(RUNS)]
    assert offered("run", "20261120", "report", "-c", config) == [RUNS[0]]
    assert offered("run", "la", "report", "-c", config) == ["latest"]


def test_a_configuration_that_cannot_be_read_offers_what_is_always_there(tmp_path: Path) -> None:
    assert offered("run", "", "report", "-c", str(tmp_path / "none.yaml")) == ["latest"]
    assert offered("select", "pro", "run", "-c", str(tmp_path / "none.yaml")) == ["product:"]


def test_keys_step_by_step() -> None:
    assert offered("set_", "clu", "run") == ["cluster."]
    assert "cluster.workers=" in offered("set_", "cluster.", "run")
    assert offered("set_", "as_o", "run") == ["as_of="]
    assert offered("set_", "no.such.", "run") == []


def test_products_of_the_portfolio(config: str) -> None:
    assert offered("select", "book:x,product:sw", "run", "-c", config) == [
        "book:x,product:swap",
        "book:x,product:swaption",
    ]
    assert offered("select", "", "run", "-c", config)[: len(completion.METHODS)] == [
        f"{method}:" for method in completion.METHODS
    ]
