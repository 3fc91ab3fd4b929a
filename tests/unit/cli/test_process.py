"""The program as a process: what it imports, closed pipes, colours, tracebacks."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COLOUR = re.compile(r"\x1b\[(\d+;)*3[0-7](;\d+)*m")


def riskpipe(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "riskpipe", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | environment,
        timeout=120,
        check=False,
    )


HEAVY = {
    "numpy",
    "pyarrow",
    "dask",
    "distributed",
    "numba",
    "pydantic",
    "yaml",
    "QuantLib",
    "pandas",
    "rich.live",
}


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], HEAVY | {"importlib.metadata"}),
        (["--version"], HEAVY | {"importlib.metadata"}),
        (["run", "--help"], HEAVY - {"pydantic"}),  # with which recent versions of Typer read arguments
        (["runs", "show", "--help"], HEAVY - {"pydantic"}),
    ],
)
def test_help_imports_nothing_heavy(arguments: list[str], heavy: set[str]) -> None:
    program = f"""
import sys
from riskpipe.cli.app import app
try:
    app({arguments})
except SystemExit as error:
    print(error.code, sorted({heavy} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "0 []"


NEVER = {"dask", "distributed", "pandas", "scipy", "tornado", "riskpipe.clusters.kubernetes.api"}
KEPT = {"riskpipe.inputs.market_input", "riskpipe.inputs.scenario_input", "riskpipe.market.monte_carlo"}
"""Modules that make a market and scenarios, which are kept."""
UNUSED = {"riskpipe.analyses.backtests", "riskpipe.runs.reverse_stresses"}
"""Modules of what the configuration does not ask for."""


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        (["runs", "list"], NEVER | {"QuantLib", "numba", "numpy", "pyarrow", "riskpipe.cli.report"}),
        pytest.param(["plan"], NEVER | KEPT | {"QuantLib"}, marks=pytest.mark.slow),
        pytest.param(["check"], NEVER | KEPT | {"QuantLib"}, marks=pytest.mark.slow),
        pytest.param(["run", "--set", "cluster.kind=serial"], NEVER | {"QuantLib"}, marks=pytest.mark.slow),
        (
            ["run", "--resume", "never"],
            NEVER | KEPT | UNUSED | {"QuantLib"},
        ),  # of kind auto: a small book is priced in this process
    ],
)
def test_what_a_command_does_not_import(small_book: Path, tmp_path: Path, words: list[str], unwanted: set[str]) -> None:
    """The second time, when the day's market is kept. Time that a command takes before it does anything is imports."""
    program = """
import sys
from riskpipe.cli.main import main
sys.argv = ["riskpipe", *sys.argv[1:]]
try:
    main()
except SystemExit as error:
    print(*sys.modules, file=open(sys.argv[-1].removeprefix("output=") + ".modules", "w"))
    raise
"""
    for attempt in ("first", "second"):
        output = tmp_path / attempt
        settings = ["--set", "measures=[pv, stress, historical_var]", "--set", f"output={output}"]
        subprocess.run(
            [sys.executable, "-c", program, *words, "-c", str(small_book / "riskpipe.yaml"), *settings],
            env=os.environ | {"RISKPIPE_MARKET_CACHE": str(tmp_path / "kept")},
            capture_output=True,
            check=True,
        )
    assert set(Path(f"{output}.modules").read_text().split()) & unwanted == set()


def test_data_on_stdout_only(config: Path) -> None:
    result = riskpipe("config", "show", "-c", str(config))
    assert result.returncode == 0
    assert result.stdout.startswith("as_of: 2026-11-20\n")
    assert result.stderr == ""


def test_a_reader_that_has_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-m", "riskpipe", "config", "schema"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (141, b"")


def test_no_colours_when_they_are_not_wanted() -> None:
    assert COLOUR.search(riskpipe("--help", FORCE_COLOR="1").stdout)
    for result in (
        riskpipe("--help", "--no-color", FORCE_COLOR="1"),
        riskpipe("--help", FORCE_COLOR="1", NO_COLOR="1"),
    ):
        assert result.stdout
        assert not COLOUR.search(result.stdout)


def test_environment_over_file(config: Path) -> None:
    result = riskpipe("config", "show", "--json", RISKPIPE_CONFIG=str(config), RISKPIPE_CLUSTER__WORKERS="5")
    assert json.loads(result.stdout)["settings"]["cluster"]["workers"] == 5
    refused = riskpipe("config", "show", RISKPIPE_CONFIG=str(config), RISKPIPE_CLUSTER__WOKERS="5")
    assert refused.returncode == 2
    assert refused.stderr == ("error: RISKPIPE_CLUSTER__WOKERS: cluster.wokers: unknown key; did you mean workers?\n")


@pytest.mark.parametrize(
    ("text", "named"), [(b"a: [1\n b: x", True), (b"a: \xff\xfe", True), (b"- 1", True), (b"1: {2: 3}", False)]
)
def test_a_file_of_dask_s_own_that_is_malformed(config: Path, tmp_path: Path, text: bytes, named: bool) -> None:
    """Dask reads it when it is imported; seen to be called a bug before."""
    file = tmp_path / "dask" / "mine.yaml"
    file.parent.mkdir()
    file.write_bytes(text)
    result = riskpipe("doctor", "-c", str(config), DASK_CONFIG=str(file.parent))
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {file}: Dask cannot read" if named else "error: a file in ~/.config/dask")
