"""Warnings of arbitrage: where, which kind, and none without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from riskpipe.market.arbitrage import arbitrage_faults
from riskpipe.market.conventions import Conventions, SurfaceConvention
from riskpipe.market.derived import derive
from riskpipe.market.model import MarketModel
from riskpipe.market.smiles import derive_smiles
from riskpipe.market.snapshot import MarketSnapshot


@pytest.fixture
def found(table_of: Any, as_of: int) -> Callable[..., dict[str, tuple[str, ...]]]:
    def faults(points: list[Any], conventions: Conventions | None = None) -> dict[str, tuple[str, ...]]:
        conventions = conventions or Conventions()
        table = derive(table_of(points), (derive_smiles,), as_of, conventions).table
        warnings = arbitrage_faults(MarketModel(MarketSnapshot.from_table(table, as_of), conventions))
        assert {fault.level for fault in warnings} <= {"warning"}
        return {fault.rule: tuple(sorted(fault.ids)) for fault in warnings}

    return faults


def smile(
    point: Any, levels: dict[float, float], tenor: str = "1Y", kind: str = "black_vol", **columns: Any
) -> list[Any]:
    strike_type = columns.pop("strike_type", "moneyness")
    return [
        point(kind, "X", vol, tenor, strike=strike, strike_type=strike_type, **columns)
        for strike, vol in levels.items()
    ]


def test_sound_surfaces_have_none(rows, point, found) -> None:
    assert found(rows) == {}
    assert found([*rows, *smile(point, {0.8: 0.25, 1.0: 0.2, 1.2: 0.19})]) == {}


def test_dip_in_a_smile_is_a_negative_butterfly_on_either_side(point, found) -> None:
    levels = dict.fromkeys((0.8, 0.9, 1.0, 1.1, 1.2), 0.2) | {1.0: 0.23}
    assert found(smile(point, levels)) == {"butterfly arbitrage": ("black_vol:X:1Y:moneyness:1.0",)}


def test_wing_that_is_too_steep_makes_calls_rise(point, found) -> None:
    warnings = found(smile(point, {0.9: 0.2, 1.0: 0.2, 1.1: 0.35}))
    assert warnings["vertical arbitrage"] == ("black_vol:X:1Y:moneyness:1.1",)


def test_normal_volatilities_are_looked_at_by_offset(point, found) -> None:
    cube = {"kind": "normal_vol", "strike_type": "offset", "underlying_tenor": "5Y"}
    assert found(smile(point, {-0.01: 0.009, 0.0: 0.008, 0.01: 0.0085}, **cube)) == {}
    warnings = found(smile(point, {-0.01: 0.008, -0.005: 0.008, 0.0: 0.01, 0.005: 0.008, 0.01: 0.008}, **cube))
    assert warnings["butterfly arbitrage"] == ("normal_vol:X:1Y:offset:0.0",)


def test_normal_smile_without_rise_at_the_other_end_falls_too_fast(point, found) -> None:
    cube = {"kind": "normal_vol", "strike_type": "offset", "underlying_tenor": "5Y"}
    warnings = found(smile(point, {-0.02: 0.02, -0.01: 0.008, 0.0: 0.008}, **cube))
    assert warnings["vertical arbitrage"] == ("normal_vol:X:1Y:offset:-0.01",)


def test_variance_that_falls_from_an_expiry_to_the_next(point, found) -> None:
    near, far = {0.9: 0.30, 1.0: 0.25, 1.1: 0.24}, {0.9: 0.20, 1.0: 0.20, 1.1: 0.20}
    points = [*smile(point, near), *smile(point, far, "2Y")]
    # 0.3^2 < 2 x 0.2^2 is false at 0.9 alone.
    assert found(points) == {"calendar arbitrage": ("black_vol:X:2Y:moneyness:0.9",)}
    flat = [
        point("black_vol", "X", 0.3, "1Y", strike_type="atm"),
        point("black_vol", "X", 0.2, "2Y", strike_type="atm"),
    ]
    assert found(flat) == {"calendar arbitrage": ("black_vol:X:2Y:atm",)}


def test_variance_is_compared_at_one_strike_over_forward(rows, point, found) -> None:
    """The smile goes with the forward, which is at 70 in a month and 72 in two years."""

    def surface(factor: float) -> list[Any]:
        points = [row for row in rows if row["kind"] != "black_vol"]
        for tenor, scale in (("1M", 1.0), ("2Y", factor)):
            for strike in (60.0, 70.0, 80.0):
                vol = 0.3 + 2.0 * (strike / 70.0 - 1.0) ** 2
                points.append(
                    point("black_vol", "WTI", vol / (1.0 if tenor == "1M" else 23.0**0.5), tenor,
                          strike=strike * scale, strike_type="absolute")
                )  # fmt: skip
        return points

    assert found(surface(72.0 / 70.0)) == {}
    assert "calendar arbitrage" in found(surface(1.0))


def test_smile_by_delta_names_surface_expiry_and_strike(rows, point, found) -> None:
    points = [row for row in rows if row["kind"] != "fx_vol"]
    for tenor, atm in (("6M", 0.15), ("1Y", 0.10)):
        points.append(point("fx_vol", "EURUSD", atm, tenor, strike_type="atm"))
        for strike_type, level in (("risk_reversal", 0.0), ("butterfly", 0.002)):
            points.append(point("fx_vol", "EURUSD", level, tenor, strike_type=strike_type, strike=0.25))
    for interpolation in ("linear", "cubic_spline"):
        conventions = Conventions(surfaces={"EURUSD": SurfaceConvention(interpolation)})
        (calendar,) = found(points, conventions).values()
        assert len(calendar) == 3
        strikes = [float(factor.removeprefix("smile_vol:fx_vol:EURUSD:1Y:")) for factor in calendar]
        assert np.all((np.array(strikes) > 0.9) & (np.array(strikes) < 1.3))


def test_what_rounded_quotes_explain_is_no_arbitrage(point, found) -> None:
    strikes = np.round(np.linspace(0.97, 1.03, 61), 3)
    levels = {float(k): round(0.2 - 0.1 * (float(k) - 1.0) + 4e-6 * (-1) ** i, 6) for i, k in enumerate(strikes)}
    assert found(smile(point, levels)) == {}


def test_absolute_strikes_without_a_forward_are_not_looked_at(point, found) -> None:
    assert found(smile(point, {0.01: 0.2, 0.02: 0.9, 0.03: 0.2}, strike_type="absolute")) == {}
