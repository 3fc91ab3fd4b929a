"""Quanto equity options against QuantLib: 1e-12 of the spot, base and shocked markets, both orders of the pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, DAY_COUNT, TODAY, make_trades, process

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.dependencies import dependencies
from riskpipe.products.quanto_equity_option import QuantoEquityOption

TRADES, SCENARIOS = 400, 3
PRODUCT = QuantoEquityOption()
# What a share in euros that is paid in dollars depends on: kind, name, today's level, whether it may be negative.
FACTORS = {
    "spot": ("spot", "SHARE", 100.0),
    "fx": ("spot", "EURUSD", 1.1),
    "growth": ("zero_rate", "EUR.OIS", 0.02),
    "rate": ("zero_rate", "USD.OIS", 0.045),
    "dividend": ("dividend_yield", "SHARE", 0.015),
    "vol": ("black_vol", "SHARE", 0.25),
    "fx_vol": ("fx_vol", "{pair}", 0.11),
    "correlation": ("correlation", "SHARE:{pair}", 0.0),
}


class Quanto:
    """One pair, in either order, and a correlation."""

    def __init__(self, pair: str, correlation: float) -> None:
        self.pair = pair
        rows = [(kind, name.format(pair=pair), level) for kind, name, level in FACTORS.values()]
        rows[-1] = (*rows[-1][:2], correlation)
        dated = [kind not in ("spot", "correlation") for kind, _, _ in rows]
        table = pa.table(
            {
                "factor": [f"{kind}:{name}" for kind, name, _ in rows],
                "kind": [kind for kind, _, _ in rows],
                "name": [name for _, name, _ in rows],
                "tenor": ["10Y" if has else None for has in dated],
                "strike_type": pa.array(["atm" if kind.endswith("vol") else None for kind, _, _ in rows], pa.string()),
                "value": [level for _, _, level in rows],
            }
        )
        self.snapshot = MarketSnapshot.from_table(table, AS_OF)
        self.model = MarketModel(self.snapshot, Conventions())
        self.position = {
            key: self.snapshot.factors.column("factor").to_pylist().index(f"{kind}:{name}")
            for key, (kind, name, _) in zip(FACTORS, rows, strict=True)
        }

    def levels(self, random: np.random.Generator) -> FloatArray:
        x = np.repeat(self.snapshot.x0[:, None], SCENARIOS, axis=1)
        x[:, 1:] *= np.exp(0.1 * random.standard_normal((len(x), SCENARIOS - 1)))
        return x

    def columns(self, random: np.random.Generator) -> dict[str, Any]:
        return {
            "underlying": ["SHARE"] * TRADES,
            "currency": ["EUR"] * TRADES,
            "pair": [self.pair] * TRADES,
            "quantity": random.choice([-2.0, 1.0], TRADES),
            "option_type": random.choice(["call", "put"], TRADES).tolist(),
            "strike": random.uniform(60.0, 160.0, TRADES),
            "expiry_date": AS_OF + random.integers(1, 1500, TRADES),
            "quanto_rate": random.choice([1.0, 1.25], TRADES),
        }

    def price(self, columns: dict[str, Any], x: FloatArray) -> FloatArray:
        trades = make_trades(PRODUCT, columns)
        assert PRODUCT.validate(trades, AS_OF) == []
        assert dependencies(PRODUCT, trades, self.model, "USD").faults == ()
        return PRODUCT.prepare(trades, self.model).price(np.arange(len(trades), dtype=np.int32), x)


def flat(rate: float) -> Any:
    return ql.YieldTermStructureHandle(ql.FlatForward(TODAY, float(rate), DAY_COUNT))


def theirs(levels: dict[str, float], sign: float, row: dict[str, Any]) -> float:
    """QuantLib's correlation is with the payment's currency per unit of the share's."""
    ql.Settings.instance().evaluationDate = TODAY
    engine = ql.QuantoEuropeanEngine(
        process(levels["spot"], levels["rate"], levels["dividend"], levels["vol"]),
        flat(levels["growth"]),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), levels["fx_vol"], DAY_COUNT)),
        ql.QuoteHandle(ql.SimpleQuote(sign * levels["correlation"])),
    )
    kind = ql.Option.Call if row["option_type"] == "call" else ql.Option.Put
    option = ql.QuantoVanillaOption(
        ql.PlainVanillaPayoff(kind, float(row["strike"])),
        ql.EuropeanExercise(TODAY + int(row["expiry_date"] - AS_OF)),
    )
    option.setPricingEngine(engine)
    return float(option.NPV() * row["quantity"] * row["quanto_rate"])


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.35, 1.0])
@pytest.mark.parametrize(("pair", "sign"), [("EURUSD", 1.0), ("USDEUR", -1.0)])
def test_quantlib(pair: str, sign: float, correlation: float) -> None:
    random = np.random.default_rng(7)
    market = Quanto(pair, correlation)
    columns, x = market.columns(random), market.levels(random)
    values = market.price(columns, x)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for s in range(SCENARIOS):
        levels = {key: float(x[position, s]) for key, position in market.position.items()}
        expected = [theirs(levels, sign, row) for row in rows]
        assert np.abs(values[:, s] - expected).max() < 1e-12 * levels["spot"] * 2.5


def test_the_sign_of_the_drift() -> None:
    """Hull, Options, Futures, and Other Derivatives, chapter on convexity, timing and quanto adjustments.

    What is paid in dollars has its forward multiplied by exp(+ rho sigma_V sigma_W T), W in units of the share's
    currency for a dollar: deep in the money, an option that is bought is the forward.
    """
    correlation, years = 0.3, 2.0
    market = Quanto("USDEUR", correlation)
    x = np.ascontiguousarray(market.snapshot.x0[:, None])
    columns = {name: values[:1] for name, values in market.columns(np.random.default_rng(1)).items()} | {
        "quantity": [1.0], "option_type": ["call"], "strike": [1e-9], "expiry_date": [AS_OF + 730], "quanto_rate": [1.0]
    }  # fmt: skip
    level = {key: float(x[position, 0]) for key, position in market.position.items()}
    forward = level["spot"] * np.exp((level["growth"] - level["dividend"]) * years)
    adjusted = forward * np.exp(correlation * level["vol"] * level["fx_vol"] * years)
    assert market.price(columns, x)[0, 0] == pytest.approx(adjusted * np.exp(-level["rate"] * years), rel=1e-10)


def test_a_pair_without_the_trades_currency_is_refused() -> None:
    market = Quanto("EURUSD", 0.1)
    columns = market.columns(np.random.default_rng(2)) | {"currency": ["GBP"] * TRADES}
    (fault,) = PRODUCT.validate(make_trades(PRODUCT, columns), AS_OF)
    assert (fault.column, fault.reason, len(fault.rows)) == ("pair", Reason.INVALID_TRADE, TRADES)


def test_the_pairs_spot_is_needed_and_moves_nothing() -> None:
    """Today's forward of the pair says at which strike its smile is read; a delta to it would be none."""
    market = Quanto("EURUSD", 0.4)
    trades = make_trades(PRODUCT, market.columns(np.random.default_rng(3)))
    needs = dependencies(PRODUCT, trades, market.model, "USD")
    groups = {market.snapshot.groups[g].name for column in needs.pricing for g in np.unique(column) if g >= 0}
    assert "EURUSD" in groups, "its volatilities"
    spot = next(k for k, g in enumerate(market.snapshot.groups) if (g.kind, g.name) == ("spot", "EURUSD"))
    assert not any((column == spot).any() for column in needs.pricing)
    assert needs.used(len(market.snapshot.groups))[spot]
