"""American options at the precision that the method reaches with more nodes than trades are priced with.

QuantLib's high-precision scheme is itself off by 1e-7 of the strike where the drift is strong and the expiry far; there
its tanh-sinh scheme with 80 nodes, which takes some ten times as long, decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, TODAY, process, random_market

from riskpipe.kernels.collocation import collocation
from riskpipe.products import american
from riskpipe.products.equity_option import EquityOption

HIGH = ql.QdFpAmericanEngine.highPrecisionScheme()
HIGHEST = ql.QdFpTanhSinhIterationScheme(80, 30, 1e-13)


def quantlib(terms: tuple[float, ...], days: int, call: bool, scheme: Any) -> float:
    strike, *levels = terms
    kind = ql.Option.Call if call else ql.Option.Put
    option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, strike), ql.AmericanExercise(TODAY, TODAY + days))
    option.setPricingEngine(ql.QdFpAmericanEngine(process(*levels), scheme))
    return float(option.NPV())


@pytest.mark.parametrize("trades", [130, pytest.param(520, marks=pytest.mark.slow)])
def test_trades(monkeypatch: pytest.MonkeyPatch, trades: int) -> None:
    ql.Settings.instance().evaluationDate = TODAY
    random = np.random.default_rng(35)
    market = random_market(random, 80, rates=(0.005, 0.08))
    which, call = random.integers(0, 80, trades), random.random(trades) < 0.5
    days = random.integers(1, 1100, trades)
    strike = np.round(market.spot[which, 0] * np.exp(random.normal(0.0, 0.15, trades)), 2)
    columns = {
        "underlying": [market.equities[k] for k in which],
        "currency": [market.currencies[k] for k in which],
        "quantity": np.ones(trades),
        "option_type": np.where(call, "call", "put").tolist(),
        "strike": strike,
        "expiry_date": AS_OF + days,
        "exercise": ["american"] * trades,
    }
    priced = market.price(EquityOption(), columns)[:, 0] / strike
    monkeypatch.setattr(american, "schemes", lambda: (collocation(24, 32, 48, 16),) * 2)
    fine = market.price(EquityOption(), columns)[:, 0] / strike

    terms = [
        (float(k), *(float(a[j, 0]) for a in (market.spot, market.rate, market.dividend, market.vol)))
        for k, j in zip(strike, which, strict=True)
    ]
    # Where rates or dividends are below zero there may be two boundaries, which QuantLib's engine refuses.
    asked = [k for k in range(trades) if min(market.rate[which[k], 0], market.dividend[which[k], 0]) >= 0.0]
    assert len(asked) > 0.95 * trades
    errors = []
    for k in asked:
        expected = quantlib(terms[k], int(days[k]), bool(call[k]), HIGH) / strike[k]
        if abs(fine[k] - expected) > 1e-9:
            expected = quantlib(terms[k], int(days[k]), bool(call[k]), HIGHEST) / strike[k]
        errors.append((abs(fine[k] - expected), abs(priced[k] - expected)))
    reached, usual = np.array(errors).T
    assert reached.max() < 1e-8
    assert np.quantile(reached, 0.99) < 1e-9
    assert usual.max() < 1e-6
    assert np.quantile(usual, 0.99) < 5e-7
