"""Touches, digitals, American and Asian options and a variance swap against values printed in books and papers."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from flat_market import AS_OF, FlatMarket, make_trades

from riskpipe.kernels.asian import asian_options, shares
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fx_touch import FxTouch
from riskpipe.products.variance_swap import VarianceSwap

DAYS = 730  # the tables' times are not whole days: rates and variances are scaled to a time that is


def rows_of(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def market_at(years: float, spot: float, rate: float, dividend: float, vol: float) -> FlatMarket:
    scale = years / (DAYS / 365.0)
    levels = (spot, rate * scale, dividend * scale, vol * math.sqrt(scale))
    return FlatMarket(*(np.full((2, 1), level) for level in levels))


def test_binaries() -> None:
    rows = rows_of("haug_binaries.csv")
    assert len(rows) == 10
    for row in rows:
        spot, level, years, rate, carry, vol = (
            float(row[name]) for name in ("spot", "level", "years", "rate", "carry", "vol")
        )
        # FlatMarket's pair: a hundredth of the spot, half the volatility.
        market = market_at(years, spot, 0.0, 0.0, 2.0 * vol)
        scale = years / (DAYS / 365.0)
        factors = market.snapshot.factors.column("factor").to_pylist()
        market.x[factors.index("zero_rate:CAA.OIS:10Y")] = (rate - carry) * scale
        market.x[factors.index("zero_rate:CAB.OIS:10Y")] = rate * scale
        asset = row["pays"] == "asset"
        trade = {
            "pair": ["CAACAB"], "touch_type": [row["touch_type"]], "level": [level / 100.0],
            "payout": [1.0 if asset else float(row["cash"])], "payout_currency": ["CAA" if asset else "CAB"],
            "expiry_date": [AS_OF + DAYS],
        }  # fmt: skip
        value = market.price(FxTouch(), trade)[0, 0] * (spot if asset else 1.0)
        assert value == pytest.approx(float(row["value"]), abs=6e-5), row


def test_americans() -> None:
    rows = rows_of("americans.csv")
    assert len(rows) == 83
    for row in rows:
        spot, rate, dividend, years, vol = (float(row[k]) for k in ("spot", "rate", "dividend", "years", "vol"))
        trade = {
            "underlying": ["E0"], "currency": ["CAA"], "quantity": [1.0], "option_type": [row["option_type"]],
            "strike": [float(row["strike"])], "expiry_date": [AS_OF + DAYS], "exercise": ["american"],
        }  # fmt: skip
        value = market_at(years, spot, rate, dividend, vol).price(EquityOption(), trade)[0, 0]
        assert value == pytest.approx(float(row["value"]), abs=float(row["tolerance"])), row


def average_option(times, spot, strike, rate, dividend, vol, years, geometric):
    """A call on the average of fixings at any times, in years."""
    offset, zero, out = np.array([0, len(times)]), np.zeros(1, np.int32), np.empty((1, 1))
    weights = np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[years, 0.0]])
    asian_options(
        zero,
        (spot * np.exp((rate - dividend) * times)[:, None], np.arange(len(times), dtype=np.int32)),
        (np.array([[np.exp(-rate * years)]]), zero),
        (np.zeros((1, 4), np.int32), *weights, np.array([[vol]])),
        (np.array([strike]), np.ones(1), np.ones(1)),
        (np.array([years]), np.array([geometric]), np.array([float(len(times))]), *np.zeros((2, 1)), np.empty((0, 0))),
        (offset, times, shares(offset, times)),
        out,
    )
    return out[0, 0]


def test_continuous_arithmetic_averages() -> None:
    rows = rows_of("continuous_asians.csv")
    assert len(rows) == 7
    for row in rows:
        spot, rate, vol, years = (float(row[name]) for name in ("spot", "rate", "vol", "years"))
        middles = (np.arange(500) + 0.5) / 500.0 * years
        value = average_option(middles, spot, 2.0, rate, 0.0, vol, years, False)
        assert value == pytest.approx(float(row["value"]), abs=2.5e-6), row


def test_discrete_geometric_average() -> None:
    """Clewlow and Strickland, Implementing Derivatives Models (1998), pages 118 to 123: ten fixings over a year."""
    value = average_option(np.arange(1, 11) / 10.0, 100.0, 100.0, 0.06, 0.03, 0.2, 1.0, True)
    assert value == pytest.approx(5.3425606635, abs=1e-10)


def variance_model(strikes: np.ndarray, vols: np.ndarray) -> MarketModel:
    points = [("zero_rate", "USD.OIS", "10Y", None, 0.05), ("spot", "E", None, None, 100.0)]
    points += [("black_vol", "E", "90D", float(k), float(v)) for k, v in zip(strikes, vols, strict=True)]
    kind, name, tenor, strike, value = zip(*points, strict=True)
    table = pa.table(
        {
            "factor": [":".join(str(p) for p in row[:4] if p is not None) for row in points],
            "kind": kind, "name": name, "tenor": pa.array(tenor, pa.string()),
            "strike": pa.array(strike, pa.float64()),
            "strike_type": pa.array(["absolute" if k is not None else None for k in strike], pa.string()),
            "value": value,
        }
    )  # fmt: skip
    return MarketModel(MarketSnapshot.from_table(table, AS_OF), Conventions())


def replicated(model: MarketModel, step: float) -> float:
    """Fair variance by options at strikes of 50 to 135: Demeterfi et al. (1999), equations 29 and A4 to A8, S* 100."""
    years, growth = 90.0 / 365.0, math.exp(0.05 * 90.0 / 365.0)
    puts, calls = np.arange(100.0, 45.0 - step / 2, -step), np.arange(100.0, 140.0 + step / 2, step)

    def payoff(k: np.ndarray) -> np.ndarray:
        return np.asarray(2.0 / years * ((k - 100.0) / 100.0 - np.log(k / 100.0)))

    total = 2.0 / years * (math.log(growth) - (growth - 1.0))
    for side, strikes in (("put", puts), ("call", calls)):
        slopes = np.diff(payoff(strikes)) / step
        strikes, weights = strikes[:-1], np.diff(np.concatenate(([0.0], slopes)))
        n = len(strikes)
        trades = make_trades(
            EquityOption(),
            {
                "underlying": ["E"] * n, "currency": ["USD"] * n, "quantity": weights, "option_type": [side] * n,
                "strike": strikes, "expiry_date": [AS_OF + 90] * n, "exercise": ["european"] * n,
            },
        )  # fmt: skip
        x = model.snapshot.x0[:, None].copy()
        total += growth * EquityOption().prepare(trades, model).price(np.arange(n, dtype=np.int32), x).sum()
    return float(total)


def test_variance_swap() -> None:
    """Demeterfi, Derman, Kamal and Zou, More than you ever wanted to know about volatility swaps (1999), table 1.

    Eighteen strikes, five apart, cost 0.04189; ever more of them what a variance swap does.
    """
    strikes = np.arange(50.0, 140.0, 5.0)
    model = variance_model(strikes, 0.3 - 0.002 * (strikes - 50.0))
    assert replicated(model, 5.0) == pytest.approx(0.04189, abs=6e-6)

    terms = {
        "underlying": ["E"], "currency": ["USD"], "vega_notional": [1.0], "strike_vol": [0.2], "start_date": [AS_OF],
        "expiry_date": [AS_OF + 90],
    }  # fmt: skip
    prepared = VarianceSwap().prepare(make_trades(VarianceSwap(), terms), model)
    value = prepared.price(np.zeros(1, np.int32), model.snapshot.x0[:, None].copy())[0, 0]
    fair = 0.04 + value * math.exp(0.05 * 90.0 / 365.0) * 2.0 * 0.2 / 100.0
    assert fair == pytest.approx(replicated(model, 0.25), abs=1e-5)
