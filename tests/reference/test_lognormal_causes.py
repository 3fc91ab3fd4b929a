"""Lognormal models and what they cannot be of: no number, and words that name the forward and the way out."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.cap_floor import CapFloor
from riskpipe.products.commodity_option import CommodityOption
from riskpipe.products.equity_asian_option import EquityAsianOption
from riskpipe.products.equity_barrier_option import EquityBarrierOption
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.swaption import Swaption
from riskpipe.products.variance_swap import VarianceSwap

AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
START, END = AS_OF + 400, AS_OF + 400 + 5 * 365
SURFACES = ("black_vol:R", "normal_vol:R", "black_vol:OIL", "normal_vol:OIL", "normal_vol:M")


def _model(oil: float = -5.0) -> MarketModel:
    rows = [("zero_rate", "EUR.OIS", "1Y", -0.01), ("forward_price", "OIL", "1Y", oil)]
    vols = [{"kind": k, "name": n, "value": 0.3, "strike_type": "atm"} for k, n in (s.split(":") for s in SURFACES)]
    vols[-1] |= {"strike_type": "moneyness", "strike": 1.0}
    table = [{"kind": kind, "name": name, "tenor": tenor, "value": value} for kind, name, tenor, value in rows]
    table += [{**vol, "tenor": "1Y"} for vol in vols]
    table = [{"strike": None, "strike_type": None, **row, "factor": f"{row['kind']}:{row['name']}:x"} for row in table]
    return MarketModel(MarketSnapshot.from_table(pa.Table.from_pylist(table), AS_OF), Conventions(base_currency="EUR"))


def _priced(rates: Any, product: Product, columns: dict[str, Any], oil: float = -5.0) -> tuple[Any, list[str]]:
    model = _model(oil)
    trades = rates.trades(product, columns)
    rows, x = np.arange(len(trades), dtype=np.int32), model.snapshot.x0[:, None].copy()
    with np.errstate(all="ignore"):
        prepared = product.prepare(trades, model)
        return prepared.price(rows, x)[:, 0], prepared.why_not(rows, x)


def _rate_options(shift: list[float], models: list[str], surface: str = "R") -> dict[str, Any]:
    n = len(shift)
    same = {
        "currency": "EUR", "index": "EUR.OIS", "discount_curve": "EUR.OIS", "notional": 1e6, "start_date": START,
        "maturity_date": END, "calendar": "TARGET", "volatility": surface, "option_type": "cap", "strike": 0.02,
        "frequency": "1Y", "day_count": "ACT/360", "direction": "pay", "fixed_rate": 0.02, "float_spread": 0.0,
        "fixed_frequency": "1Y", "fixed_day_count": "ACT/360", "float_frequency": "1Y", "float_day_count": "ACT/360",
        "business_day_convention": "following", "expiry_date": START - 10, "settlement": "physical",
    }  # fmt: skip
    return {**{name: [value] * n for name, value in same.items()}, "shift": shift, "model": models}


@pytest.mark.parametrize("product", [CapFloor(), Swaption()])
def test_negative_rates(rates: Any, product: Product) -> None:
    names = {column.name for column in product.columns}
    columns = _rate_options([0.0, 0.005, 0.02, 0.0], ["black", "black", "black", "bachelier"])
    values, causes = _priced(rates, product, {name: column for name, column in columns.items() if name in names})
    assert np.isnan(values).tolist() == [True, True, False, False]
    assert causes[2:] == ["", ""]
    for cause, level in zip(causes, ("-0.009", "-0.004"), strict=False):
        assert f"the forward is {level}" in cause
        assert "raise shift, or use the model bachelier" in cause


def test_a_strike_that_a_spread_takes_below_the_shift(rates: Any) -> None:
    columns = _rate_options([0.02], ["black"]) | {"float_spread": [0.05]}
    columns = {c.name: columns[c.name] for c in Swaption.columns if c.name in columns}
    values, (cause,) = _priced(rates, Swaption(), columns)
    assert np.isnan(values).all()
    assert cause.startswith("the fixed rate less the spread, plus shift, is -0.01")


@pytest.mark.parametrize("product", [CapFloor(), Swaption()])
def test_a_negative_forward_has_no_moneyness(rates: Any, product: Product) -> None:
    """Strike over forward falls where the strike rises: the smile would be read the wrong way round."""
    names = {column.name for column in product.columns}
    columns = _rate_options([0.0], ["bachelier"], "M")
    values, (cause,) = _priced(rates, product, {name: column for name, column in columns.items() if name in names})
    assert np.isnan(values).all()
    assert "quote the volatilities by strike or offset" in cause


EQUITIES = {
    EquityOption: {"exercise": ["european", "american", "american"]},
    EquityBarrierOption: {"barrier_type": ["up_in", "up_out", "up_in"], "barrier": [20.0] * 3, "rebate": [0.0] * 3},
    EquityAsianOption: {
        "averaging": ["geometric", "arithmetic", "arithmetic"], "fixing_start": [AS_OF + 10] * 3,
        "fixing_frequency": ["1M", "1M", "1T"],
    },
    VarianceSwap: {"vega_notional": [1.0] * 3, "strike_vol": [0.3] * 3, "start_date": [AS_OF, AS_OF + 50, AS_OF + 100]},
    CommodityOption: {"delivery_date": [START] * 3, "model": ["black", None, "black"]},
}  # fmt: skip


@pytest.mark.parametrize("product", EQUITIES)
def test_negative_prices(rates: Any, product: type[Product]) -> None:
    """No number where the forward is below zero, and none of the words where it is above."""
    columns = {
        "underlying": ["OIL"] * 3, "currency": ["EUR"] * 3, "quantity": [1.0, -1.0, 2.0],
        "option_type": ["call", "put", "put"], "strike": [10.0] * 3, "expiry_date": [START - 10] * 3,
    } | EQUITIES[product]  # fmt: skip
    columns = {column.name: columns[column.name] for column in product.columns if column.name in columns}
    if "fixing_start" in columns:
        columns["fixing_start"] = pa.array(columns["fixing_start"], pa.int32()).cast(pa.date32())
    values, causes = _priced(rates, product(), columns)
    assert np.isnan(values).all()
    assert all("the forward is -5, and a lognormal one cannot be negative" in cause for cause in causes)
    assert all(("bachelier" in cause) == (product is CommodityOption) for cause in causes)
    values, causes = _priced(rates, product(), columns, oil=5.0)
    assert np.isfinite(values).all()
    assert causes == [""] * 3
