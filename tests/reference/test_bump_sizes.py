"""Bumps of normal volatilities, and the base currency's side of bucketed_delta, against closed forms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import QuantLib as ql  # noqa: N813
from valuations import open_run, settings_at, trades_of, write_book

from riskpipe.products.catalogue import catalogue
from riskpipe.valuation.part import Part

AS_OF = date(2026, 11, 20)
YEAR = AS_OF + timedelta(days=365)
FORWARD, VOL, STRIKE, RATE, QUANTITY = 70.0, 22.0, 68.0, 0.03, 1000.0
BP, POINT = 1e-4, 1e-2


def _values(
    directory: Path,
    trades: Mapping[str, Mapping[str, Any]],
    market: Sequence[Mapping[str, Any]],
    measures: str,
    *assignments: str,
) -> dict[str, Part]:
    products = catalogue()
    tables = {name: trades_of(products[name], [dict(row)]) for name, row in trades.items()}
    book = write_book(directory / "book", tables, market)
    run = open_run(settings_at(book, directory / "output", f"measures=[{measures}]", *assignments))
    wanted = measures.split(", ")
    return {name: run.value(products[name], run.trades(name), wanted) for name in trades}


def _rates(**rates: float) -> list[dict[str, Any]]:
    return [
        {"kind": "zero_rate", "name": f"{currency}.OIS", "tenor": "1Y", "value": rate, "currency": currency}
        for currency, rate in rates.items()
    ]


def _rows(part: Part, measure: str) -> dict[str, tuple[float, float]]:
    """Factor -> value and value in the base currency."""
    found = [chunk for chunk in part.sensitivities if chunk.measure == measure and len(chunk.positions)]
    return {chunk.factor: (float(chunk.value[0]), float(chunk.value_base[0])) for chunk in found}


def _option(model: str) -> dict[str, Any]:
    return {
        "underlying": "OIL", "currency": "USD", "quantity": QUANTITY, "option_type": "call", "strike": STRIKE,
        "expiry_date": YEAR, "delivery_date": YEAR, "model": model,
    }  # fmt: skip


def _bachelier(vol: float, forward: float = FORWARD) -> float:
    return QUANTITY * ql.bachelierBlackFormula(ql.Option.Call, STRIKE, forward, vol, math.exp(-RATE))


def _oil(kind: str, vol: float) -> list[dict[str, Any]]:
    return [
        {"kind": "forward_price", "name": "OIL", "tenor": "1Y", "value": FORWARD, "currency": "USD"},
        {"kind": kind, "name": "OIL", "tenor": "1Y", "value": vol, "strike_type": "atm", "currency": "USD"},
        *_rates(USD=RATE),
    ]


SECOND_ORDER = "pv, delta, vega, bucketed_vega, volga, vanna"


@pytest.mark.parametrize("size", [BP, 0.05])
def test_a_normal_volatility_moves_by_its_own_bump(size: float, tmp_path: Path) -> None:
    given = () if size == BP else (f"bumps.normal_volatility={size}",)
    trades = {"commodity_option": _option("bachelier")}
    (part,) = _values(tmp_path, trades, _oil("normal_vol", VOL), SECOND_ORDER, *given).values()
    base, once, twice = (_bachelier(VOL + k * size) for k in range(3))
    step = 1e-3 * FORWARD
    deltas = [
        (_bachelier(vol, FORWARD + step) - _bachelier(vol, FORWARD - step)) / (2 * step) for vol in (VOL, VOL + size)
    ]
    rounding = 1e-15 * base
    assert part.values["pv"][0] == pytest.approx(base, rel=1e-13)
    assert part.values["vega"][0] == pytest.approx(once - base, abs=8 * rounding)
    assert _rows(part, "bucketed_vega") == {"normal_vol:OIL:1Y": (pytest.approx(once - base, abs=8 * rounding),) * 2}
    assert part.values["volga"][0] == pytest.approx((twice - once) - (once - base), abs=16 * rounding)
    assert part.values["vanna"][0] == pytest.approx(deltas[1] - deltas[0], abs=16 * rounding / step)
    # Of one basis point: n(d) sqrt(T), Bachelier's vega.
    d = (FORWARD - STRIKE) / VOL
    density = math.exp(-d * d / 2) / math.sqrt(2 * math.pi)
    assert part.values["vega"][0] == pytest.approx(QUANTITY * math.exp(-RATE) * density * size, rel=1e-3)


def test_a_lognormal_volatility_moves_by_a_point(tmp_path: Path) -> None:
    trades = {"commodity_option": _option("black")}
    (part,) = _values(tmp_path, trades, _oil("black_vol", 0.3), "pv, vega", "bumps.normal_volatility=0.5").values()
    base, bumped = (
        QUANTITY * ql.blackFormula(ql.Option.Call, STRIKE, FORWARD, vol, math.exp(-RATE)) for vol in (0.3, 0.31)
    )
    assert part.values["vega"][0] == pytest.approx(bumped - base, rel=1e-10)


SPOTS = {"EURUSD": (1.25, "USD"), "USDJPY": (150.0, "JPY")}


def _fx() -> list[dict[str, Any]]:
    spots = [{"kind": "spot", "name": k, "value": v, "currency": c} for k, (v, c) in SPOTS.items()]
    return [*spots, *_rates(USD=0.03, EUR=0.02, JPY=0.005)]


def _stock(currency: str) -> dict[str, Any]:
    return {"underlying": "ACME", "currency": currency, "quantity": 10.0, "strike": 100.0, "expiry_date": YEAR}


def _acme(currency: str) -> list[dict[str, Any]]:
    return [{"kind": "spot", "name": "ACME", "value": 105.0, "currency": currency}]


def test_the_spot_that_translates_a_foreign_trade_is_a_bucket(tmp_path: Path) -> None:
    """A forward in euro, of a book in dollars: in euro nothing happens; what it is worth in dollars moves by 1 %."""
    trades = {"equity_forward": _stock("EUR")}
    (part,) = _values(tmp_path, trades, [*_fx(), *_acme("EUR")], "pv, delta, bucketed_delta").values()
    value = 10.0 * (105.0 - 100.0 * math.exp(-0.02))
    rows = _rows(part, "bucketed_delta")
    assert set(rows) == {"spot:EURUSD", "spot:ACME", "zero_rate:EUR.OIS:1Y"}
    assert rows["spot:EURUSD"] == (0.0, pytest.approx(value * 1.25 * 0.01, rel=1e-11))
    assert rows["spot:ACME"] == (pytest.approx(10.5, rel=1e-12), pytest.approx(10.5 * 1.25, rel=1e-12))
    assert set(_rows(part, "delta")) == {"spot:ACME"}


def test_a_cross_has_the_buckets_of_both_its_spots(tmp_path: Path) -> None:
    """A yen trade of a book in euro: through USDJPY, which divides, and EURUSD, which divides as well."""
    trades = {"equity_forward": _stock("JPY")}
    market = [*_fx(), *_acme("JPY")]
    (part,) = _values(tmp_path, trades, market, "pv, bucketed_delta", "base_currency=EUR").values()
    value = 10.0 * (105.0 - 100.0 * math.exp(-0.005)) / 150.0 / 1.25
    rows = _rows(part, "bucketed_delta")
    for name in SPOTS:
        assert rows[f"spot:{name}"] == (0.0, pytest.approx(value * (1 / 1.01 - 1), rel=1e-11))


def test_a_trade_on_the_spot_that_translates_it(tmp_path: Path) -> None:
    """Euro bought for dollars, of a book in euro: only the dollars move, when they are looked at from there."""
    trades = {
        "fx_forward": {
            "buy_currency": "EUR", "buy_amount": 1e6, "sell_currency": "USD", "sell_amount": 1.2e6,
            "delivery_date": YEAR,
        }
    }  # fmt: skip
    (part,) = _values(tmp_path, trades, _fx(), "pv, bucketed_delta", "base_currency=EUR").values()
    euro, dollar = 1e6 * math.exp(-0.02), 1.2e6 * math.exp(-0.03)
    value, translated = _rows(part, "bucketed_delta")["spot:EURUSD"]
    assert part.currency == ["USD"]
    assert value == pytest.approx(euro * 0.0125, rel=1e-11)
    assert translated == pytest.approx(-dollar / 1.25 * (1 / 1.01 - 1), rel=1e-9)
    for factor, (number, converted) in _rows(part, "bucketed_delta").items():
        assert factor == "spot:EURUSD" or converted == number * (1 / 1.25)
