"""Options that hold everywhere, and every way out of a command."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from riskpipe import errors
from riskpipe.cli.app import app
from riskpipe.cli.invocation import Invocation
from riskpipe.cli.options import before_commands, everywhere
from riskpipe.cli.program import Program
from riskpipe.cli.streams import LostAnswerError, ReaderGoneError

SHARED = {"config", "as_of", "set_", "json", "quiet", "verbose", "log_format", "no_color"}
runner = CliRunner()


def commands(command: Any, name: str = "riskpipe") -> dict[str, Any]:
    found = {name: command}
    for child, entry in getattr(command, "commands", {}).items():
        found |= commands(entry, f"{name} {child}")
    return found


def test_every_command_takes_every_shared_option() -> None:
    found = commands(get_command(app))
    assert len(found) >= 14
    lacking = {name: SHARED - {param.name for param in command.params} for name, command in found.items()}
    assert {name: missing for name, missing in lacking.items() if missing} == {}


def test_shared_options_before_and_after_the_command(config: Path) -> None:
    arguments = f"-c {config} --set cluster.workers=3 config --set retry.storage=1 show --as-of 2026-11-19 --json"
    settings = json.loads(runner.invoke(app, arguments).stdout)["settings"]
    assert (settings["cluster"]["workers"], settings["retry"]["storage"]) == (3, 1)
    assert settings["as_of"] == "2026-11-19"


def test_the_later_of_two_assignments_wins(config: Path) -> None:
    arguments = f"--set cluster.workers=3 -c {config} config show --set cluster.workers=4 --json"
    assert json.loads(runner.invoke(app, arguments).stdout)["settings"]["cluster"]["workers"] == 4


def program(error: BaseException | None = None, code: int = 0) -> typer.Typer:
    """A program of one command, `fail`, that raises or returns as told."""
    small = typer.Typer(cls=Program, callback=before_commands(), pretty_exceptions_enable=False)

    def fail(invocation: Invocation) -> int:
        secret = "a local variable"
        if error is not None:
            raise error
        return code if secret else 1

    small.command()(everywhere(fail))
    return small


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("no"), 2),
        (errors.ConfigurationError(["a", "b"]), 2),
        (errors.InputError("no"), 3),
        (errors.GateError("no"), 5),
        (errors.StorageError("no"), 6),
        (errors.ClusterError("no"), 6),
        (errors.LeaseError("no"), 75),
        (errors.InterruptedRunError("stopped", 2), 130),
        (errors.InterruptedRunError("stopped", 15), 143),
        (KeyboardInterrupt(), 130),
        (ValueError("x"), 1),
        (BrokenPipeError(), 6),  # of a connection: streams have an error of their own
        (ReaderGoneError("gone"), 141),
        (LostAnswerError("full"), 6),
        (MemoryError(), 6),
        (OSError(28, "No space left on device"), 6),
        (ImportError("libx.so: failed to map segment: Cannot allocate memory"), 6),
        (ImportError("no module"), 1),
        (typer.Exit(9), 9),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert runner.invoke(program(error), "fail").exit_code == code


@pytest.mark.parametrize("code", [0, 3, 4])
def test_the_code_that_a_command_returns(code: int) -> None:
    assert runner.invoke(program(code=code), "fail").exit_code == code


def test_faults_go_to_stderr_and_with_json_to_stdout_too() -> None:
    small = program(errors.ConfigurationError(["a.yaml:1:1: x: bad", "a.yaml:2:1: y: bad"]))
    plain = runner.invoke(small, "fail")
    assert plain.stdout == ""
    assert plain.stderr == "error: a.yaml:1:1: x: bad\nerror: a.yaml:2:1: y: bad\n"
    answer = runner.invoke(small, "fail --json")
    assert json.loads(answer.stdout) == {
        "error": {
            "type": "ConfigurationError",
            "message": "a.yaml:1:1: x: bad\na.yaml:2:1: y: bad",
            "faults": ["a.yaml:1:1: x: bad", "a.yaml:2:1: y: bad"],
        },
        "exit_code": 2,
    }
    assert answer.stderr == plain.stderr


def test_a_bug_is_short_unless_verbose_and_never_shows_locals() -> None:
    short = runner.invoke(program(ValueError("s3://key:hush@bucket")), "fail")
    assert short.stderr == (
        "error: this is a bug in riskpipe: ValueError: s3://***@bucket (-v shows where it happened)\n"
    )
    long = runner.invoke(program(ValueError("s3://key:hush@bucket")), "fail -v")
    assert "Traceback" in long.stderr
    assert "in fail" in long.stderr
    assert "hush" not in long.stderr
    assert "a local variable" not in long.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("ruin", "No such command 'ruin'"),
        ("plan --nonsense", "--nonsense"),
        ("run --publish sometimes", "'sometimes' is not one of"),
        ("runs gc", "--keep"),
        ("init --trades 0", "--trades"),
        ("run --log-format xml", "'xml' is not one of"),
    ],
)
def test_usage_errors(arguments: str, message: str) -> None:
    plain = runner.invoke(app, arguments)
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert plain.stderr.startswith("error: ")
    assert message in plain.stderr
    answer = json.loads(runner.invoke(app, f"{arguments} --json").stdout)
    assert answer["exit_code"] == 2
    assert message in answer["error"]["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        "ruin --log-format json",
        "--log-format=json plan --nonsense",
        "run --nonsense --log-format json",
        "--set output=a run --log-format json extra",
    ],
)
def test_usage_errors_in_json_logs(arguments: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert json.loads(result.stderr)["level"] == "error"


@pytest.mark.parametrize("arguments", ["ruin --set --json", "run --set x=--json --nonsense", "ruin --config --json"])
def test_the_value_of_an_option_is_no_option(arguments: str) -> None:
    """Of a command line that is refused as of others."""
    result = runner.invoke(app, arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")


@pytest.mark.parametrize("arguments", ["", "runs", "config"])
def test_without_a_command_the_help_is_shown(arguments: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert "Usage" in result.output
    assert "error:" not in result.output


def test_a_missing_configuration_names_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, "config show")
    assert result.exit_code == 2
    assert result.stderr == "error: riskpipe.yaml: no such file; `riskpipe init` writes one, -c names another\n"


def test_log_records_and_warnings_of_libraries_come_in_the_same_form() -> None:
    small = typer.Typer(cls=Program, callback=before_commands(), pretty_exceptions_enable=False)

    def noisy(invocation: Invocation) -> int:
        logging.getLogger("a.library").warning("slow %s", "disk")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning("old", DeprecationWarning, "x.py", 1)
        return 0

    small.command()(everywhere(noisy))
    lines = [json.loads(line) for line in runner.invoke(small, "noisy --log-format json").stderr.splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("warning", "slow disk"),
        ("warning", "old"),
    ]
    assert runner.invoke(small, "noisy").stderr == "warning: slow disk\nwarning: old\n"
