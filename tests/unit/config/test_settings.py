"""What settings mean: conventions, hash, dumps, schema."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pydantic
import pytest
import yaml

from riskpipe.clusters.catalogue import CLUSTERS
from riskpipe.config import Settings, load_settings, masked, resolved, resolved_yaml, schema_text
from riskpipe.config.market_section import CALENDAR_PATTERN
from riskpipe.config.values import parse_size
from riskpipe.market import date_rules
from riskpipe.market.conventions import CommodityConvention, FxPairConvention, IndexConvention
from riskpipe.market.stress_terms import CurveStress, DeclaredStresses, HistoryStress, LadderStress
from riskpipe.measures.measure_names import MEASURES
from riskpipe.sample.config_file import config_text

BASIC: dict[str, Any] = {"as_of": "2026-11-20", "inputs": {"portfolio": "/p", "market": "/m"}}


def settings(**changes: Any) -> Settings:
    return Settings.model_validate(BASIC | changes)


def test_conventions() -> None:
    market = {
        "currencies": {"EUR": {"discount_curve": "EUR.ESTR"}},
        "indices": {"USD.SOFR": {"curve": "SOFR", "overnight": True, "day_count": "ACT/360", "fixing_lag": 2}},
        "curves": {"SOFR": {"interpolation": "linear_zero"}, "ACME": {"extrapolation": "flat_zero"}},
        "commodities": {"CL": {"curve": "contracts", "roll_days": 2, "calendar": "XNYS"}},
        "credit_model": "isda",
        "credit_step_in": "next_day",
    }
    found = settings(market=market, base_currency="EUR").conventions()
    assert found.base_currency == "EUR"
    assert found.discount_curve("EUR") == "EUR.ESTR"
    assert found.discount_curve("USD") == "USD.OIS"
    assert found.index("USD.SOFR") == IndexConvention("USD.SOFR", "SOFR", True, "ACT/360", 2, None)
    assert found.interpolation("SOFR") == "linear_zero"
    assert [found.extrapolation(name, "flat_forward") for name in ("ACME", "SOFR")] == ["flat_zero", "flat_forward"]
    assert found.commodity("CL") == CommodityConvention("contracts", 2, "XNYS")
    assert found.commodity("GOLD") == CommodityConvention("interpolated")
    assert (found.credit_model, found.credit_step_in) == ("isda", "next_day")


def test_seasons_have_a_factor_for_every_month() -> None:
    months = [1.01, 0.99, *[1.0] * 10]
    entry = {"curve": "HICP", "seasonality": months}
    found = settings(market={"indices": {"HICP": entry}}).conventions()
    assert found.index("HICP").seasonality == tuple(months)
    for wrong in (months[:11], [*months, 1.0], [0.0, *months[1:]]):
        with pytest.raises(pydantic.ValidationError, match=r"HICP.seasonality"):
            settings(market={"indices": {"HICP": entry | {"seasonality": wrong}}})


def test_a_flat_forward_rate_needs_log_linear_points() -> None:
    curve = {"interpolation": "linear_zero", "extrapolation": "flat_forward"}
    with pytest.raises(
        pydantic.ValidationError, match=r"SOFR.extrapolation\n  flat_zero \(interpolation is linear_zero"
    ):
        settings(market={"curves": {"SOFR": curve}})


def test_pairs_have_spot_dates_of_their_own() -> None:
    market = {"fx_pairs": {"USDMXN": {"spot_lag": 1}, "EURGBP": {"calendar": "TARGET+GBLO+USNY"}}}
    found = settings(market=market).conventions()
    assert found.fx_pair("MXNUSD") == found.fx_pair("USDMXN") == FxPairConvention(spot_lag=1)
    assert found.fx_pair("EURGBP") == FxPairConvention(calendar="TARGET+GBLO+USNY")
    assert found.fx_pair("EURUSD") == FxPairConvention()


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"USDUSD": {}}, "a pair of two different currency codes, such as USDTRY is wanted"),
        ({"usdmxn": {}}, "a pair of two different currency codes, such as USDTRY is wanted"),
        ({"USDMXN": {}, "MXNUSD": {}}, r"each pair one way round \(USDMXN and MXNUSD are the same\) is wanted"),
        ({"USDMXN": {"spot_lag": -1}}, "greater than or equal to 0"),
    ],
)
def test_pairs_that_cannot_be(pairs: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        settings(market={"fx_pairs": pairs})


@pytest.mark.parametrize(
    "changes",
    [
        {"as_of": "2026-11-21"},
        {"base_currency": "EUR"},
        {"measures": ["pv", "delta"]},
        {"bumps": {"spot": 0.002}},
        {"market": {"credit_model": "isda"}},
        {"market": {"credit_step_in": "next_day"}},
        {"market": {"fx_pairs": {"USDMXN": {"spot_lag": 1}}}},
        {"market": {"currencies": {"USD": {"discount_curve": "X"}}}},
    ],
)
def test_the_hash_follows_what_determines_the_numbers(changes: dict[str, Any]) -> None:
    assert settings(**changes).sha256 != settings().sha256


@pytest.mark.parametrize(
    "changes",
    [
        {"output": "/elsewhere"},
        {"inputs": {"portfolio": "/other", "market": "/m"}},
        {"partition": {"max_trades": 7}},
        {"cluster": {"kind": "serial"}},
        {"publish": "never"},
        {"retry": {"storage": 0}},
        {"retry": {"second_start": "off"}},
        {"bumps": {"spot": 0.001}},
    ],
)
def test_the_hash_does_not_follow_the_rest(changes: dict[str, Any]) -> None:
    assert settings(**changes).sha256 == settings().sha256


@pytest.mark.parametrize("text", ["off", "'off'"])
def test_off_is_off_as_yaml_reads_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "riskpipe.yaml"
    path.write_text(
        f"as_of: 2026-11-20\ninputs: {{portfolio: p, market: m}}\nreuse: {text}\nretry: {{second_start: {text}}}\n"
    )
    found = load_settings(path, environment={})
    assert (found.reuse, found.retry.second_start) == ("off", "off")


def test_frozen() -> None:
    with pytest.raises(pydantic.ValidationError):
        settings().cluster.workers = 3


def test_the_resolved_text_reads_back_to_the_same_settings(tmp_path: Path) -> None:
    first = settings(market={"indices": {"USD.SOFR": {"curve": "SOFR"}}}, measures=["pv", "vega"], output="/o")
    path = tmp_path / "config.resolved.yaml"
    path.write_text(resolved_yaml(first))
    assert load_settings(path, environment={}) == first


def test_dumps_mask_secrets() -> None:
    found = settings(output="s3://KEYID:hush@bucket/x", cluster={"kind": "address", "address": "tls://me:hush@h:1"})
    assert "hush" not in resolved_yaml(found)
    assert resolved(found)["output"] == "s3://***@bucket/x"
    assert resolved(found)["as_of"] == "2026-11-20"
    json.dumps(resolved(found))
    assert yaml.safe_load(resolved_yaml(found))["output"] == "s3://***@bucket/x"


def test_masking() -> None:
    assert masked("s3://a:b@c/d?region=x&secret_key=y&z=1") == "s3://***@c/d?region=x&secret_key=***&z=1"
    assert masked("see s3://a:b@c, gs://d:e@f") == "see s3://***@c, gs://***@f"
    assert masked("me@example.com") == "me@example.com"
    assert masked("abfs://c:key@account/x?sig=y") == "abfs://***@account/x?sig=***"


@pytest.mark.parametrize(
    "uri",
    [
        "abfs://container@account.dfs.core.windows.net/x?credential_kind=workload_identity",
        "gs://anonymous@bucket/x",
        "s3://bucket/x?region=eu-west-1&endpoint_override=localhost:9000",
    ],
)
def test_what_is_no_secret_is_shown(uri: str) -> None:
    assert masked(uri) == uri


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (7, 7),
        ("7", 7),
        ("1kB", 1000),
        ("2 MiB", 2**21),
        ("1.5GiB", 3 * 2**29),
        ("0.1GB", 10**8),
        ("1TiB", 2**40),
    ],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1MiB", "1 mib", "0", 0, -5, True, 1.5, None, "0.1B"])
def test_refused_sizes(text: object) -> None:
    with pytest.raises(ValueError, match="a size"):
        parse_size(text)


def test_the_schema_describes_every_key() -> None:
    schema = json.loads(schema_text())
    assert schema["$schema"].startswith("https://json-schema.org/")
    assert schema["additionalProperties"] is False
    objects = [schema, *schema["$defs"].values()]
    bare = [name for entry in objects for name, key in entry.get("properties", {}).items() if "description" not in key]
    assert bare == []
    assert schema["required"] == ["as_of", "inputs"]
    assert CALENDAR_PATTERN in schema_text()


def test_the_schema_offers_the_names_of_the_catalogues() -> None:
    schema = json.loads(schema_text())
    day_count, _ = schema["$defs"]["CurveSettings"]["properties"]["day_count"]["anyOf"]

    assert schema["properties"]["measures"]["items"]["enum"] == list(MEASURES)
    assert schema["$defs"]["Cluster"]["properties"]["kind"]["enum"] == list(CLUSTERS)
    assert day_count["enum"] == list(date_rules.DAY_COUNTS)


def test_the_sample_configuration_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "riskpipe.yaml"
    path.write_text(config_text(date(2026, 11, 20), 500))
    found = load_settings(path, environment={})
    assert found.as_of == date(2026, 11, 20)
    assert found.market.indices


@pytest.mark.parametrize(
    ("shards", "workers", "expected"),
    [(None, 2, 1), ("auto", 1_000, 1), ("auto", 1_001, 2), ("auto", 9_500, 10), (3, 9_500, 3), (3, 2, 2)],
)
def test_shards_keep_their_schedulers_small(shards: Any, workers: int, expected: int) -> None:
    assert settings(cluster={"kind": "local", "shards": shards}).cluster.shards_of(workers) == expected


def test_stresses_that_are_declared() -> None:
    found = settings(
        stress={
            "history": {
                "day": {"first_day": "2026-11-18"},
                "week": {"first_day": "2026-11-09", "last_day": "2026-11-13"},
            },
            "ladders": {"spx": {"underlying": "SPX", "spot": [-0.1, 0.1], "separately": True}},
            "curves": {
                "up": {"curve": "*", "shift": 0.01},
                "turn": {"curve": "USD", "shape": "twist", "shift": 1e-3, "pivot": "5Y"},
            },
        }
    )
    assert found.stress.declared() == DeclaredStresses(
        (HistoryStress("day", 20775, 20775), HistoryStress("week", 20766, 20770)),
        (LadderStress("spx", "SPX", (-0.1, 0.1), (0.0,), "relative", True),),
        (
            CurveStress("up", "*", "rates", "parallel", 0.01, None, "30Y"),
            CurveStress("turn", "USD", "rates", "twist", 0.001, "5Y", "30Y"),
        ),
    )
    assert found.sha256 != settings().sha256
    assert not settings().stress.declared()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"history": {"a": {"first_day": "2026-11-18", "last_day": "2026-11-17"}}}, "a last_day that is not before"),
        ({"ladders": {"a": {"underlying": "SPX", "spot": [-1.0]}}}, "relative shifts above -1"),
        ({"ladders": {"a": {"underlying": "SPX", "spot": [0.1, 0.1]}}}, "each shift once"),
        ({"ladders": {"a": {"underlying": "SPX"}}}, "a shift of spot or of volatility"),
        ({"curves": {"a": {"curve": "*", "shift": 0.01, "pivot": "5Y"}}}, "no pivot where all points move alike"),
        ({"curves": {"a": {"curve": "*", "shift": 0.01, "shape": "twist"}}}, r"a pivot \(shape: twist\)"),
        ({"curves": {"a": {"curve": "*", "shift": 0.01, "shape": "steepen", "pivot": "30Y"}}}, "a pivot before end"),
        ({"curves": {"a": {"curve": "*", "shift": 0.01, "shape": "twist", "pivot": "five"}}}, "a tenor, such as 18M"),
        ({"curves": {"a/b": {"curve": "*", "shift": 0.01}}}, "a name of letters, digits and _"),
        (
            {"ladders": {"a": {"underlying": "X", "spot": [0.1]}}, "curves": {"a": {"curve": "*", "shift": 0.01}}},
            r"each name once in all of stress \(a\)",
        ),
    ],
)
def test_stresses_that_contradict_themselves(section: dict[str, Any], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        settings(stress=section)
