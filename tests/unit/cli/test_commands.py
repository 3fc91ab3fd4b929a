"""Commands that need no run: init, config, doctor, check, plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from riskpipe.cli.app import app
from riskpipe.cli.main import COMMANDS, GROUPS, program
from riskpipe.config import load_settings, schema_text

runner = CliRunner()


def invoke(*arguments: object, code: int = 0) -> str:
    result = runner.invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sample")
    invoke("init", directory, "--trades", 40, "--scenarios", 10)
    return directory


def test_init_writes_a_sample_and_names_the_next_command(tmp_path: Path) -> None:
    lines = invoke("init", tmp_path / "demo", "--trades", 30, "--scenarios", 5).splitlines()
    config = tmp_path / "demo" / "riskpipe.yaml"
    assert "30 trades" in lines[1]
    assert lines[-1] == f"next: riskpipe run -c {config}"
    assert (tmp_path / "demo" / "riskpipe.schema.json").read_text() == schema_text()
    assert load_settings(config, environment={}).measures
    assert list((tmp_path / "demo/data/portfolio").glob("*/*.parquet"))


def test_init_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer = json.loads(invoke("init", "--trades", 30, "--scenarios", 5, "--as-of", "2025-06-30", "--json"))
    assert answer["trades"] == sum(answer["products"].values()) == 30
    assert str(load_settings(environment={}).as_of) == "2025-06-30"
    assert invoke("init", "--trades", 30, "--scenarios", 5, code=2) == ""
    assert invoke("init", "--trades", 30, "--scenarios", 5, "--force").endswith("next: riskpipe run\n")
    invoke("init", "--as-of", "yesterday", "--force", code=2)


def test_config_show_with_origins(sample: Path) -> None:
    text = invoke("config", "show", "--origin", "-c", sample / "riskpipe.yaml", "--set", "cluster.workers=7")
    rows = {line.split()[0]: line.split()[-1] for line in text.splitlines()[1:]}
    assert rows["cluster.workers"] == "--set"
    assert rows["cluster.block_timeout"] == "default"
    assert rows["inputs.market"].startswith(f"{sample / 'riskpipe.yaml'}:")
    answer = json.loads(invoke("config", "show", "--origin", "-c", sample / "riskpipe.yaml", "--json"))
    assert answer["origins"].keys() >= rows.keys()
    assert answer["settings"]["inputs"]["market"] == str(sample / "data/market.parquet")


def test_config_show_reads_back(sample: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    again.write_text(invoke("config", "show", "-c", sample / "riskpipe.yaml"))
    assert load_settings(again, environment={}) == load_settings(sample / "riskpipe.yaml", environment={})


def test_config_schema() -> None:
    assert invoke("config", "schema") == schema_text()


def test_doctor(sample: Path) -> None:
    answer = json.loads(invoke("doctor", "--json", "-c", sample / "riskpipe.yaml"))
    found = {finding["what"]: finding for finding in answer["findings"]}
    assert {finding["level"] for finding in found.values()} <= {"ok", "warning"}
    assert int(found["cores"]["detail"]) >= 1
    assert found["output"]["detail"].startswith(str(sample / "output"))
    assert found.keys() >= {"riskpipe", "python", "numba", "memory", "kernel cache", "configuration"}


def test_doctor_without_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "no such file; `riskpipe init` writes one" in invoke("doctor")


def test_doctor_sees_an_output_that_cannot_be_written(sample: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    text = invoke("doctor", "-c", sample / "riskpipe.yaml", "--set", f"output={blocked}/output", code=6)
    assert [line for line in text.splitlines() if line.startswith("error") and str(blocked) in line]


def test_check_of_a_good_sample(sample: Path) -> None:
    lines = invoke("check", "-c", sample / "riskpipe.yaml").splitlines()
    assert lines[-2].startswith("40 trades, 0 quarantined; 0 errors")
    assert lines[-1] == f"next: riskpipe plan -c {sample / 'riskpipe.yaml'}"


def test_check_of_a_bad_market(sample: Path, tmp_path: Path) -> None:
    broken = tmp_path / "market.parquet"
    broken.write_bytes((sample / "data/market.parquet").read_bytes()[:1000])
    arguments = ("check", "-c", sample / "riskpipe.yaml", "--set", f"inputs.market={broken}")
    lines = invoke(*arguments, code=3).splitlines()
    assert lines[0].startswith("error: market ")
    assert lines[-1].startswith("nothing can be priced: mend the errors")
    answer = json.loads(invoke(*arguments, "--json", code=3))
    assert answer["exit_code"] == 3
    assert answer["blocking"] is True


def test_plan(sample: Path, tmp_path: Path) -> None:
    stored = tmp_path / "plan.parquet"
    text = invoke("plan", "-c", sample / "riskpipe.yaml", "-o", stored)
    assert stored.stat().st_size > 0
    assert f"plan written to {stored}" in text
    assert text.splitlines()[-1] == f"next: riskpipe run -c {sample / 'riskpipe.yaml'}"
    answer = json.loads(invoke("plan", "-c", sample / "riskpipe.yaml", "--json", "--select", "product:fx_forward"))
    assert [row["product"] for row in answer["by_product"]] == ["fx_forward"]
    assert 0 < answer["trades"] < 40
    invoke("plan", "-c", sample / "riskpipe.yaml", "--select", "produkt:bond", code=2)


def test_the_schema_is_one_that_editors_understand(sample: Path) -> None:
    first = (sample / "riskpipe.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=./riskpipe.schema.json"
    assert (
        yaml.safe_load((sample / "riskpipe.yaml").read_text()).keys() <= json.loads(schema_text())["properties"].keys()
    )


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_a_command_line_makes_its_own_command_alone(name: str) -> None:
    """With the same parameters, in the same order, that it has in the whole program."""
    (own,) = typer.main.get_command(program(name)).commands.items()
    assert own[0] == name
    assert described(own[1]) == described(typer.main.get_command(app).commands[name])


def described(command: Any) -> list[Any]:
    parameters = [(each.name, each.opts, each.default, getattr(each, "help", None)) for each in command.params]
    return [command.help, *parameters, *(described(each) for each in getattr(command, "commands", {}).values())]
