"""Precedence, origins, places and the wording of faults."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from riskpipe.config import Resolution, load_settings, resolve
from riskpipe.errors import ConfigurationError
from riskpipe.measures.measure_names import MEASURES

GOOD = """\
as_of: 2026-11-20
inputs:
  portfolio: data/portfolio
  market: data/market.parquet
partition:
  max_trades: 100
"""


def write(directory: Path, text: str) -> Path:
    path = directory / "riskpipe.yaml"
    path.write_text(text)
    return path


def faults(path: Path, assignments: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, assignments=assignments, environment=environment or {})
    return [fault.replace(f"{path}", "FILE") for fault in caught.value.faults]


def load(path: Path, *assignments: str, as_of: str | None = None, **environment: str) -> Resolution:
    return resolve(path, as_of=as_of, assignments=assignments, environment=environment)


def test_defaults_and_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, GOOD)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    settings = load_settings(path, environment={})
    assert settings.as_of == date(2026, 11, 20)
    assert settings.inputs.portfolio == str(tmp_path / "data/portfolio")
    assert settings.output == str(tmp_path / "output")
    assert settings.inputs.history is None
    assert settings.partition.max_trades == 100
    assert settings.partition.max_memory == 512 * 2**20
    assert settings.measures == ("pv",)


def test_uris_and_absolute_paths_are_left_alone(tmp_path: Path) -> None:
    text = GOOD.replace("data/portfolio", "s3://bucket/portfolio").replace("data/market", "/srv/market")
    settings = load_settings(write(tmp_path, text), environment={})
    assert settings.inputs.portfolio == "s3://bucket/portfolio"
    assert settings.inputs.market == "/srv/market.parquet"


def test_the_default_file_and_the_one_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    assert resolve(environment={}).file == "riskpipe.yaml"
    other = tmp_path / "other.yaml"
    other.write_text(GOOD.replace("100", "7"))
    assert load_settings(environment={"RISKPIPE_CONFIG": str(other)}).partition.max_trades == 7


@pytest.mark.parametrize(
    ("environment", "assignments", "as_of", "expected"),
    [
        ({}, (), None, (date(2026, 11, 20), "FILE:1:1")),
        ({"RISKPIPE_AS_OF": "2026-11-21"}, (), None, (date(2026, 11, 21), "RISKPIPE_AS_OF")),
        ({"RISKPIPE_AS_OF": "2026-11-21"}, ("as_of=2026-11-22",), None, (date(2026, 11, 22), "--set")),
        (
            {"RISKPIPE_AS_OF": "2026-11-21"},
            ("as_of=2026-11-22",),
            "2026-11-23",
            (date(2026, 11, 23), "--as-of"),
        ),
    ],
)
def test_precedence(
    tmp_path: Path,
    environment: dict[str, str],
    assignments: tuple[str, ...],
    as_of: str | None,
    expected: tuple[date, str],
) -> None:
    path = write(tmp_path, GOOD)
    found = resolve(path, as_of=as_of, assignments=assignments, environment=environment)
    assert (found.settings.as_of, found.origins[("as_of",)].replace(str(path), "FILE")) == expected


def test_origins_name_every_leaf(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    found = load(path, "cluster.workers=3", RISKPIPE_RETRY__STORAGE="1")
    assert found.origins[("partition", "max_trades")] == f"{path}:6:3"
    assert found.origins[("partition", "max_scenarios")] == "default"
    assert found.origins[("cluster", "workers")] == "--set"
    assert found.origins[("retry", "storage")] == "RISKPIPE_RETRY__STORAGE"
    assert found.origins[("inputs", "history")] == "default"
    assert len(found.origins) > 30


def test_a_section_set_as_a_whole_replaces_the_file(tmp_path: Path) -> None:
    found = load(write(tmp_path, GOOD), "partition={max_scenarios: 5}")
    assert found.settings.partition.max_scenarios == 5
    assert found.settings.partition.max_trades == 50_000
    assert found.origins[("partition", "max_trades")] == "default"


def test_values_from_outside_are_typed_as_yaml_types_them(tmp_path: Path) -> None:
    settings = load(
        write(tmp_path, GOOD),
        "measures=[pv, delta]",
        "bumps.spot=1e-4",
        "partition.max_memory=1.5GiB",
        RISKPIPE_WARNINGS_AS_ERRORS="true",
        RISKPIPE_CLUSTER__MEMORY_LIMIT="2GB",
    ).settings
    assert settings.measures == ("pv", "delta")
    assert settings.bumps.spot == 1e-4
    assert settings.partition.max_memory == 3 * 2**29
    assert settings.warnings_as_errors is True
    assert settings.cluster.memory_limit == 2 * 10**9


def test_names_with_dots(tmp_path: Path) -> None:
    text = GOOD + "market:\n  indices:\n    USD.SOFR: {curve: A}\n    EUR.ESTR: {curve: B}\n"
    settings = load(
        write(tmp_path, text),
        "market.indices.USD.SOFR.overnight=true",
        'market.indices."EUR.ESTR".fixing_lag=2',
        'market.curves."USD.SOFR"={interpolation: linear_zero}',
        RISKPIPE_MARKET__CURRENCIES__EUR__DISCOUNT_CURVE="EUR.ESTR",
    ).settings
    assert settings.market.indices["USD.SOFR"].overnight is True
    assert settings.market.indices["USD.SOFR"].curve == "A"
    assert settings.market.indices["EUR.ESTR"].fixing_lag == 2
    assert settings.market.curves["USD.SOFR"].interpolation == "linear_zero"
    assert settings.market.currencies["EUR"].discount_curve == "EUR.ESTR"


def test_every_fault_at_once_each_with_its_place(tmp_path: Path) -> None:
    text = """\
as_of: 2026-13-20
base_curency: USD
inputs:
  portfolio: data/portfolio
measures: [pv, dleta, historical_var, pv]
partition:
  max_trade: 5
  max_trades: many
  max_memory: 0MiB
  target_seconds: 3
  target_seconds: 3
cluster: local
bumps: {spot: -1e-3}
market:
  currencies: {usd: {discount_curve: X}}
  indices:
    USD.SOFR: {curve: 3, calendar: TARGET+FOO}
max_trades: 5
warnings_as_errors: 1
"""
    found = faults(
        write(tmp_path, text),
        ("retry.storage=[1", "foo", "as_of.x=1", "cluster.workers=2"),
        {"RISKPIPE_RETRY__STORAGE": "-1", "RISKPIPE_GRACE_SECOND": "1"},
    )
    assert found == [
        "FILE:1:1: as_of: a date (YYYY-MM-DD) is wanted, got '2026-13-20'",
        "FILE:2:1: base_curency: unknown key; did you mean base_currency?",
        "FILE:3:1: inputs.market: missing; text that is not empty is wanted",
        "FILE:5:1: measures: named twice: pv",
        f"FILE:5:16: measures[1]: one of {', '.join(MEASURES)} is wanted, got 'dleta'",
        "FILE:5:23: measures[2]: historical_var needs inputs.history",
        "FILE:7:3: partition.max_trade: unknown key; did you mean max_trades?",
        "FILE:8:3: partition.max_trades: a whole number >= 1 is wanted, got 'many'",
        "FILE:9:3: partition.max_memory: a size of at least 1 byte (such as 512MiB) is wanted, got '0MiB'",
        "FILE:11:3: partition.target_seconds: given twice; first in line 10",
        "FILE:12:1: cluster: a mapping is wanted, got 'local'",
        "FILE:13:9: bumps.spot: a number > 0 is wanted, got -0.001",
        "FILE:15:16: market.currencies.usd: a currency code of three capitals is wanted, got 'usd'",
        'FILE:17:16: market.indices."USD.SOFR".curve: text that is not empty is wanted, got 3',
        'FILE:17:26: market.indices."USD.SOFR".calendar: a calendar: a financial centre such as GBLO, an exchange such '
        "as XLON, an index such as SOFR, weekends, every_day, one of market.calendars, or some of them as A+B "
        "(docs/inputs.md lists them) is wanted, got 'TARGET+FOO'",
        "FILE:18:1: max_trades: unknown key; did you mean partition.max_trades?",
        "FILE:19:1: warnings_as_errors: true or false is wanted, got 1",
        "--set: retry.storage: not valid YAML: expected ',' or ']', but got '<stream end>'",
        "--set: KEY=VALUE is wanted, got 'foo'",
        "--set: as_of.x: unknown key",
        "RISKPIPE_RETRY__STORAGE: retry.storage: a whole number >= 0 is wanted, got -1",
        "RISKPIPE_GRACE_SECOND: grace_second: unknown key; did you mean grace_seconds?",
    ]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            "cluster: {kind: kubernetes, kubernetes: {allow_plaintext: true}}",
            "cluster.kind: kubernetes needs cluster.kubernetes.image",
        ),
        (
            "cluster: {kind: kubernetes, kubernetes: {image: 'riskpipe:1'}}",
            "cluster.kind: kubernetes needs cluster.kubernetes.tls_secret, a Secret with ca.crt, tls.crt and tls.key"
            " (or allow_plaintext, where whoever reaches a pod may run code on it)",
        ),
        (
            "cluster: {kind: kubernetes, min_workers: 9, max_workers: 3,"
            " kubernetes: {image: 'riskpipe:1', tls_secret: tls}}",
            "cluster.min_workers: 9 is more than cluster.max_workers, 3",
        ),
        (
            "cluster: {kubernetes: {pods: {volumes: [{emptyDir: {}}]}}}",
            "cluster.kubernetes.pods.volumes: a list of mappings, each with a name is wanted, got a list",
        ),
        (
            "cluster: {kubernetes: {pods: {tolerations: [spot]}}}",
            "cluster.kubernetes.pods.tolerations[0]: a mapping is wanted, got 'spot'",
        ),
        (
            "cluster: {kubernetes: {worker: {node_selecter: {pool: batch}}}}",
            "cluster.kubernetes.worker.node_selecter: unknown key; did you mean node_selector?",
        ),
        (
            "cluster: {kind: slurm}",
            "cluster.kind: one of auto, local, address, kubernetes, serial is wanted, got 'slurm'",
        ),
        (
            "cluster: {kind: address}",
            "cluster.kind: address needs cluster.address, such as tls://host:8786",
        ),
        (
            "cluster: {kind: serial, shards: 2}",
            "cluster.shards: kind serial has one; kinds auto, local, kubernetes can be cut into shards",
        ),
        (
            "cluster: {workers: 4, shards: 5}",
            "cluster.shards: 5 shards need 5 workers or more, cluster.workers is 4",
        ),
        (
            "cluster: {deadline: 5400, deadline_seconds: 60}",
            "cluster.deadline_seconds: this key is called cluster.block_timeout now",
        ),
        ("cluster: {shards: many}", "cluster.shards: a whole number >= 1 is wanted, got 'many'"),
        ("cluster: {workers: 1.5}", "cluster.workers: a whole number >= 1 is wanted, got 1.5"),
        ("cluster: {workers: yes}", "cluster.workers: a whole number >= 1 is wanted, got true"),
        ("measures: [stress]", "measures[0]: stress needs inputs.scenarios, or the section stress"),
        (
            "measures: [stress]\nstress: {history: {day: {first_day: 2026-11-18}}}",
            "stress.history: stresses of days of the past need inputs.history",
        ),
        ("measures: []", "measures: a list of at least one is wanted, got an empty list"),
        ("measures: pv", "measures: a list of at least one is wanted, got 'pv'"),
        ("base_currency: usd", "base_currency: a currency code of three capitals is wanted, got 'usd'"),
        ("grace_seconds: .inf", "grace_seconds: a number > 0 is wanted, got inf"),
        ("output: {a: 1}", "output: text that is not empty is wanted, got a mapping"),
        (
            "output: s3://key:hush@bucket/x\ncluster: {address: [s3]}",
            "cluster.address: text that is not empty is wanted, got a list",
        ),
    ],
)
def test_wording(tmp_path: Path, line: str, fault: str) -> None:
    found = faults(write(tmp_path, GOOD + line))
    assert [text.split(": ", 1)[1] for text in found] == [fault]


def test_secrets_do_not_leak_into_faults(tmp_path: Path) -> None:
    text = GOOD + "publish: s3://key:hush@bucket/a-long-name-so-that-the-text-is-cut-before-the-at-sign\n"
    assert "hush" not in str(faults(write(tmp_path, text)))
    assert "hush" not in str(faults(write(tmp_path, GOOD), ("s3://key:hush@bucket",)))


def test_a_missing_file_names_init(tmp_path: Path) -> None:
    missing = tmp_path / "riskpipe.yaml"
    assert faults(missing) == ["FILE: no such file; `riskpipe init` writes one, -c names another"]


def test_unreadable_files(tmp_path: Path) -> None:
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"as_of: \xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_settings(binary, environment={})
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load_settings(tmp_path, environment={})


def test_yaml_errors_come_alone_with_their_line(tmp_path: Path) -> None:
    assert faults(write(tmp_path, "as_of: 2026-11-20\ninputs: [a\noutput: x\n"))[0].startswith(
        "FILE:3:7: not valid YAML"
    )
    assert faults(write(tmp_path, "- a\n")) == ["FILE:1:1: a mapping of keys is wanted"]


def test_an_empty_file_wants_what_has_no_default(tmp_path: Path) -> None:
    assert faults(write(tmp_path, "")) == [
        "FILE: as_of: missing; a date (YYYY-MM-DD) or one of today, previous-business-day is wanted",
        "FILE: inputs: missing; a mapping is wanted",
    ]


def test_an_emptied_section_means_its_defaults(tmp_path: Path) -> None:
    text = GOOD + "market:\n  # currencies: {}\ncluster:\n  memory_limit:\n"
    settings = load_settings(write(tmp_path, text), environment={})
    assert settings.market.indices == {}
    assert settings.cluster.memory_limit is None


def test_variables_of_kubernetes_services_and_reserved_ones_are_no_settings(tmp_path: Path) -> None:
    environment = {
        "RISKPIPE_CACHE_DIR": "/tmp/x",
        "RISKPIPE_CPU": "x86-64-v3",
        "RISKPIPE_SCHEDULER_SERVICE_HOST": "10.0.0.1",
        "RISKPIPE_SCHEDULER_PORT_8786_TCP": "tcp://10.0.0.1:8786",
        "OTHER": "1",
    }
    assert load_settings(write(tmp_path, GOOD), environment=environment).cluster.workers == 2


def test_calendars_of_ones_own(tmp_path: Path) -> None:
    """Their places are found as those of inputs; names are those that are there, and no others."""
    text = (
        GOOD
        + """\
market:
  calendars:
    DESK: {path: holidays.parquet, base: GBLO+TARGET}
    GULF: {path: "s3://bucket/gulf.parquet", weekend: [friday, saturday]}
  indices:
    X: {curve: X, calendar: SONIA+DESK}
  curves:
    Y: {calendar: GULF, payment_calendar: DESK+TARGET}
"""
    )
    settings = load_settings(write(tmp_path, text), environment={})
    assert settings.market.calendars["DESK"].path == str(tmp_path / "holidays.parquet")
    assert settings.market.calendars["GULF"].path == "s3://bucket/gulf.parquet"
    elsewhere = load_settings(write(tmp_path, text.replace("holidays.", "moved.")), environment={})
    assert elsewhere.sha256 == settings.sha256  # what the file says counts, not where it lies

    conventions = settings.conventions().with_calendars({"DESK": "GBLO+{: 2026-06-10}", "GULF": "{4,5: }"})
    assert conventions.index("X").calendar == "SONIA+GBLO+{: 2026-06-10}"
    assert conventions.curve("Y").calendar == "{4,5: }"
    assert conventions.curve("Y").payment_calendar == "GBLO+{: 2026-06-10}+TARGET"


def test_faults_of_calendars_of_ones_own(tmp_path: Path) -> None:
    text = (
        GOOD
        + """\
market:
  calendars:
    GBLO: {path: a.parquet}
    A+B: {path: a.parquet}
    C: {path: a.parquet, base: D}
    D: {path: a.parquet, base: TARGET, weekend: [friday]}
    E: {path: a.parquet, weekend: [noday]}
    F: {base: TARGET}
  indices:
    X: {curve: X, calendar: DD}
  fx_pairs:
    USDMXN: {calendar: NOWHERE}
  curves:
    Y: {payment_calendar: NOWHERE}
"""
    )
    found = faults(write(tmp_path, text))
    starts = [
        "FILE:9:5: market.calendars.GBLO: a name that no calendar has yet is wanted, got 'GBLO'",
        "FILE:10:5: market.calendars.A+B: a name of letters, digits and _, which begins with a letter, is wanted",
        "FILE:11:26: market.calendars.C.base: a calendar: a financial centre such as GBLO",
        "FILE:12:40: market.calendars.D.weekend: no weekend, since base has one is wanted",
        "FILE:13:36: market.calendars.E.weekend[0]: one of monday",
        "FILE:14:5: market.calendars.F.path: missing",
        "FILE:16:19: market.indices.X.calendar: a calendar: a financial centre such as GBLO",
        "FILE:18:14: market.fx_pairs.USDMXN.calendar: a calendar: a financial centre such as GBLO",
        "FILE:20:9: market.curves.Y.payment_calendar: a calendar: a financial centre such as GBLO",
    ]
    assert [line[: len(start)] for line, start in zip(found, starts, strict=True)] == starts


@pytest.mark.parametrize("source", ["--set", "environment", "file"])
def test_a_list_that_names_something_twice_is_told(tmp_path: Path, source: str) -> None:
    text = GOOD.replace("partition:", "  extra_columns: [pv, pv]\npartition:") if source == "file" else GOOD
    assignments = ("inputs.extra_columns=[pv, pv]",) if source == "--set" else ()
    environment = {"RISKPIPE_INPUTS__EXTRA_COLUMNS": "[pv, pv]"} if source == "environment" else {}
    (found,) = faults(write(tmp_path, text), assignments, environment)
    assert found.endswith("inputs.extra_columns: named twice: pv")
