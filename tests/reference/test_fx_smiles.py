"""FX smiles: a printed example, and options off surfaces by delta against QuantLib at the same volatility."""

from __future__ import annotations

import csv
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from derived import derived_model
from hypothesis import given
from hypothesis import strategies as st
from selections import examples

from riskpipe.market.conventions import Conventions, SurfaceConvention
from riskpipe.market.delta import CALL, PUT, DeltaConvention, Underlying, atm_strike, strike_of
from riskpipe.market.pillars import Quote
from riskpipe.market.smile import smile_of_deltas
from riskpipe.market.strike_interpolation import LINEAR, LOG_LINEAR, SPLINE, strike_weights
from riskpipe.products.fx_option import FxOption
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical

LINES = Path(__file__).with_name("fx_smiles.csv").read_text().splitlines()
ROWS = list(csv.DictReader(line for line in LINES if not line.startswith("#")))
QUOTES = [Quote("atm"), Quote("risk_reversal", 0.25), Quote("butterfly", 0.25)]
AS_OF, DAYS = 20_777, 365
SIDES = {CALL: ql.Option.Call, PUT: ql.Option.Put}


def black(sign: int, strike: float, on: Underlying, vol: float, discount: float) -> float:
    return float(ql.blackFormula(SIDES[sign], strike, on.forward, vol * math.sqrt(on.years), discount))


def printed(row: dict[str, str], interpolation: str) -> dict[str, float]:
    """Everything that the table prints, as riskpipe has it."""
    spot, domestic, foreign, years = (
        float(row["spot"]), float(row["domestic_rate"]), float(row["foreign_rate"]), int(row["days"]) / 365.0
    )  # fmt: skip
    adjusted = row["premium_adjusted"] == "true"
    on = Underlying(spot * math.exp((domestic - foreign) * years), spot, math.exp(-foreign * years), years)
    deltas, discount = DeltaConvention(True, adjusted), math.exp(-domestic * years)
    levels = np.array([float(row[name]) for name in ("atm", "risk_reversal", "strangle")])
    flat = float(levels[0] + levels[2])
    strikes = {sign: strike_of(sign, 0.25, flat, on, deltas) for sign in SIDES}
    smile = smile_of_deltas(QUOTES, levels, on, deltas, market_strangles=True, interpolation=interpolation)
    vols = smile.volatilities(levels)
    premium = sum(black(sign, strike, on, flat, discount) for sign, strike in strikes.items())
    own = strike_weights(interpolation, smile.strikes, np.array([strikes[PUT], strikes[CALL]])) @ vols
    repriced = black(PUT, strikes[PUT], on, own[0], discount) + black(CALL, strikes[CALL], on, own[1], discount)
    assert repriced == pytest.approx(premium, rel=1e-12)
    assert vols[2] - vols[0] == pytest.approx(levels[1], abs=1e-14)
    return {
        "forward": on.forward,
        "atm_strike": atm_strike(float(levels[0]), on, DeltaConvention(True)),
        "strangle_put_strike": strikes[PUT],
        "strangle_call_strike": strikes[CALL],
        "strangle_premium": premium,
        "smile_put_strike": float(smile.strikes[0]),
        "smile_call_strike": float(smile.strikes[2]),
    }


@pytest.mark.parametrize("interpolation", [LINEAR, LOG_LINEAR, SPLINE])
@pytest.mark.parametrize("row", ROWS, ids=[f"{row['pair']}-{row['quantity']}" for row in ROWS])
def test_printed_smile(row: dict[str, str], interpolation: str) -> None:
    assert printed(row, interpolation)[row["quantity"]] == pytest.approx(
        float(row["value"]), abs=float(row["tolerance"])
    )


def market(spot: float, domestic: float, foreign: float, vols: tuple[float, ...]) -> pa.Table:
    """Flat curves and a smile of one year: puts of 10 and 25 delta, at the money, calls of 25 and 10."""
    kinds, deltas = ("delta_put", "delta_put", "atm", "delta_call", "delta_call"), (0.1, 0.25, None, 0.25, 0.1)
    rows: list[dict[str, Any]] = [
        {"factor": "spot:EURUSD", "kind": "spot", "name": "EURUSD", "value": spot},
        {"factor": "zero_rate:USD.OIS", "kind": "zero_rate", "name": "USD.OIS", "tenor": "1Y", "value": domestic},
        {"factor": "zero_rate:EUR.OIS", "kind": "zero_rate", "name": "EUR.OIS", "tenor": "1Y", "value": foreign},
    ]
    for kind, delta, vol in zip(kinds, deltas, vols, strict=True):
        factor = f"fx_vol:EURUSD:1Y:{kind}:{delta}"
        point = {"kind": "fx_vol", "name": "EURUSD", "tenor": "1Y", "strike_type": kind, "strike": delta, "value": vol}
        rows.append({"factor": factor, **point})
    names = ["factor", "kind", "name", "tenor", "strike_type", "strike", "value"]
    types = [pa.string()] * 5 + [pa.float64()] * 2
    return pa.table({n: pa.array([row.get(n) for row in rows], t) for n, t in zip(names, types, strict=True)})


@examples(40)
@given(
    spot=st.floats(0.1, 200.0),
    domestic=st.floats(-0.01, 0.08),
    foreign=st.floats(-0.01, 0.08),
    atm=st.floats(0.05, 0.3),
    skew=st.floats(-0.15, 0.15),
    adjusted=st.booleans(),
)
def test_options_off_a_surface_by_delta(spot, domestic, foreign, atm, skew, adjusted) -> None:
    """Strikes of QuantLib's calculator, straight lines between them, QuantLib's Black formula."""
    vols = tuple(atm * (1.0 + skew * x + 0.2 * x * x) for x in (-1.0, -0.5, 0.0, 0.5, 1.0))
    conventions = Conventions(surfaces={"EURUSD": SurfaceConvention(delta="spot", premium_adjusted=adjusted)})
    model = derived_model(market(spot, domestic, foreign, vols), AS_OF, conventions)
    discount, foreign_discount = math.exp(-domestic), math.exp(-foreign)
    kind = ql.DeltaVolQuote.PaSpot if adjusted else ql.DeltaVolQuote.Spot

    def calculator(sign: int, vol: float) -> ql.BlackDeltaCalculator:
        return ql.BlackDeltaCalculator(SIDES[sign], kind, spot, discount, foreign_discount, vol)

    pillars = [calculator(PUT, vol).strikeFromDelta(-delta) for delta, vol in zip((0.1, 0.25), vols, strict=False)]
    pillars.append(calculator(CALL, atm).atmStrike(ql.DeltaVolQuote.AtmDeltaNeutral))
    pillars += [calculator(CALL, vol).strikeFromDelta(delta) for delta, vol in zip((0.25, 0.1), vols[3:], strict=True)]
    between = [0.5 * (low + high) for low, high in pairwise(pillars)]
    strikes = [*pillars, *between, 0.5 * pillars[0], 2.0 * pillars[-1]]
    forward = spot * foreign_discount / discount
    for sign, option_type in ((CALL, "call"), (PUT, "put")):
        found = prices(model, strikes, option_type)
        own = np.interp(strikes, pillars, vols)
        expected = [
            ql.blackFormula(SIDES[sign], strike, forward, vol, discount)
            for strike, vol in zip(strikes, own, strict=True)
        ]
        np.testing.assert_allclose(found, expected, atol=1e-8 * spot)


def prices(model: Any, strikes: list[float], option_type: str) -> Any:
    n = len(strikes)
    day = pa.array([AS_OF + DAYS] * n, pa.int32()).cast(pa.date32())
    columns = {"trade_id": [str(k) for k in range(n)], "book": ["b"] * n, "pair": ["EURUSD"] * n,
               "option_type": [option_type] * n, "strike": strikes, "notional": [1.0] * n,
               "expiry_date": day, "delivery_date": day}  # fmt: skip
    trades = Trades(canonical(pa.table(columns), FxOption()))
    rows = np.arange(n, dtype=np.int32)
    return FxOption().prepare(trades, model).price(rows, model.snapshot.x0[:, None].copy())[:, 0]
