"""Relations between European options, and that a price depends on its own trade and scenario alone."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from selections import examples

from riskpipe.kernels import black as formulas
from riskpipe.kernels.compiler import kernel
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.commodity_option import CommodityOption
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.fx_option import FxOption
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical

AS_OF = 20777
N, S = 64, 45


@kernel
def black(forward, strike, variance, sign, out):
    for i in range(out.size):
        out[i] = formulas.black(forward, strike[i], variance, sign)


@kernel
def bachelier(forward, strike, variance, sign, out):
    for i in range(out.size):
        out[i] = formulas.bachelier(forward, strike[i], variance, sign)


def prices(function, forward, strikes, variance, sign):
    out = np.empty(len(strikes))
    function(forward, np.asarray(strikes, float), variance, sign, out)
    return out


LEVEL = st.floats(1e-3, 1e5)
DEVIATION = st.floats(0.0, 5.0)
MONEYNESS = st.lists(st.floats(-3.0, 3.0), min_size=3, max_size=3, unique=True).map(sorted)


@examples(300)
@given(LEVEL, DEVIATION, MONEYNESS)
def test_black_parity_bounds_slope_and_convexity(forward, deviation, moneyness):
    strikes = forward * np.exp(moneyness)
    calls = prices(black, forward, strikes, deviation**2, 1.0)
    puts = prices(black, forward, strikes, deviation**2, -1.0)
    rounding = 1e-15 * (forward + strikes)
    assert np.all(np.abs(calls - puts - (forward - strikes)) <= rounding)
    assert np.all(calls >= np.maximum(forward - strikes, 0.0) - rounding)
    assert np.all(calls <= forward + rounding)
    assert np.all(puts >= np.maximum(strikes - forward, 0.0) - rounding)
    assert np.all(puts <= strikes + rounding)
    assert np.all(np.diff(calls) <= rounding[1:])
    assert np.all(np.diff(puts) >= -rounding[1:])
    width = np.diff(strikes)
    chord = width[1] * calls[0] + width[0] * calls[2]
    assert width.sum() * calls[1] <= chord + 2.0 * rounding[2] * width.sum()


@examples(200)
@given(st.floats(-0.05, 0.2), st.floats(0.0, 0.1), st.floats(-0.3, 0.3))
def test_bachelier_parity_and_bounds(forward, deviation, moneyness):
    strikes = [forward + moneyness, forward + moneyness + 1e-3]
    calls = prices(bachelier, forward, strikes, deviation**2, 1.0)
    puts = prices(bachelier, forward, strikes, deviation**2, -1.0)
    np.testing.assert_allclose(calls - puts, forward - np.array(strikes), rtol=0, atol=2e-16)
    assert np.all(calls >= np.maximum(forward - np.array(strikes), 0.0))
    assert calls[0] >= calls[1] - 1e-16


def snapshot():
    rows = [
        ("spot", "EURUSD", None, None, 1.1),
        ("spot", "USDJPY", None, None, 150.0),
        ("spot", "SPX", None, None, 5000.0),
        ("zero_rate", "USD.OIS", "6M", None, 0.04),
        ("zero_rate", "USD.OIS", "5Y", None, 0.035),
        ("zero_rate", "EUR.OIS", "1Y", None, 0.02),
        ("zero_rate", "JPY.OIS", "1Y", None, 0.001),
        ("dividend_yield", "SPX", "1Y", None, 0.015),
        ("forward_price", "OIL", "1M", None, 70.0),
        ("forward_price", "OIL", "2Y", None, 65.0),
    ]
    for name in ("EURUSD", "EURJPY", "SPX", "OIL"):
        for tenor in ("1M", "1Y", "5Y"):
            for strike in (0.8, 1.0, 1.2):
                rows.append(("black_vol", name, tenor, strike, 0.15 + 0.1 * abs(strike - 0.95)))
    kind, name, tenor, strike, value = zip(*rows, strict=True)
    table = pa.table(
        {
            "factor": [":".join(str(part) for part in row[:4] if part is not None) for row in rows],
            "kind": kind,
            "name": name,
            "tenor": pa.array(tenor, pa.string()),
            "strike": pa.array(strike, pa.float64()),
            "strike_type": ["moneyness" if k else None for k in strike],
            "value": value,
        }
    )
    return MarketSnapshot.from_table(table, AS_OF)


SNAPSHOT = snapshot()
MODEL = MarketModel(SNAPSHOT, Conventions())
LEVELS = SNAPSHOT.x0[:, None] * np.exp(np.random.default_rng(3).normal(0.0, 0.1, (len(SNAPSHOT), S)))


def dates(days):
    return pa.array(AS_OF + np.asarray(days), pa.int32()).cast(pa.date32())


def trades_of(product):
    random = np.random.default_rng(4)
    pair = random.choice(["EURUSD", "EURJPY"], N).tolist()
    expiry = random.integers(0, 2500, N)
    name = {"equity_option": "SPX", "commodity_option": "OIL"}.get(product.name, "")
    level = np.where(np.array(pair) == "EURJPY", 165.0, 1.1)
    level = {"SPX": 5000.0, "OIL": 68.0}.get(name, level)
    columns = {
        "trade_id": [f"T{k}" for k in range(N)],
        "book": ["b"] * N,
        "pair": pair,
        "underlying": [name] * N,
        "currency": ["USD"] * N,
        "option_type": random.choice(["call", "put"], N).tolist(),
        "strike": level * np.exp(random.normal(0.0, 0.2, N)),
        "quantity": random.normal(0.0, 100.0, N),
        "notional": random.normal(0.0, 1e6, N),
        "expiry_date": dates(expiry),
        "delivery_date": dates(expiry + 2),
        "exercise": ["european"] * N,
        "buy_currency": random.choice(["EUR", "JPY"], N).tolist(),
        "buy_amount": random.uniform(1.0, 1e6, N),
        "sell_currency": ["USD"] * N,
        "sell_amount": random.uniform(1.0, 1e6, N),
    }
    return Trades(canonical(pa.table(columns), product))


PRODUCTS = [FxForward(), FxOption(), EquityOption(), CommodityOption()]
PREPARED = {product.name: product.prepare(trades_of(product), MODEL) for product in PRODUCTS}
WHOLE = {name: prepared.price(np.arange(N, dtype=np.int32), LEVELS) for name, prepared in PREPARED.items()}


@pytest.mark.parametrize("name", sorted(PREPARED))
@examples(40)
@given(data=st.data())
def test_prices_are_the_same_bits_in_any_rows_and_scenarios(name, data):
    rows = np.array(data.draw(st.lists(st.integers(0, N - 1), min_size=1, max_size=N)), np.int32)
    columns = np.array(data.draw(st.lists(st.integers(0, S - 1), min_size=1, max_size=S)))
    part = PREPARED[name].price(rows, np.ascontiguousarray(LEVELS[:, columns]))
    assert part.shape == (len(rows), len(columns))
    assert part.tobytes() == np.ascontiguousarray(WHOLE[name][np.ix_(rows, columns)]).tobytes()


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_prices_do_not_depend_on_the_other_trades_that_were_prepared(product):
    trades = trades_of(product)
    for start, stop in [(0, 1), (5, 37), (63, 64)]:
        rows = np.arange(stop - start, dtype=np.int32)
        part = product.prepare(trades.slice(start, stop), MODEL).price(rows, LEVELS)
        assert part.tobytes() == np.ascontiguousarray(WHOLE[product.name][start:stop]).tobytes()


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.name)
def test_an_empty_block_has_an_empty_price(product):
    nobody = trades_of(product).slice(0, 0)
    assert product.validate(nobody, AS_OF) == []
    assert len(product.currency(nobody)) == 0
    assert product.weight(nobody, AS_OF).shape == (0,)
    assert product.prepare(nobody, MODEL).price(np.zeros(0, np.int32), LEVELS).shape == (0, S)


def test_call_less_put_is_the_discounted_forward():
    product = EquityOption()
    table = trades_of(product).table
    sides = [
        table.set_column(table.schema.get_field_index("option_type"), "option_type", pa.array([side] * N))
        for side in ("call", "put")
    ]
    rows = np.arange(N, dtype=np.int32)
    call, put = (product.prepare(Trades(side), MODEL).price(rows, LEVELS) for side in sides)
    trades = Trades(table)
    forward, position = MODEL.forwards(
        trades.labels("underlying"), trades.labels("currency"), trades.days("expiry_date")
    )
    discount, (when,) = MODEL.discount((trades.labels("currency").map("{}.OIS".format), trades.days("expiry_date")))
    paid = forward.evaluate(LEVELS)[position] - trades.numbers("strike")[:, None]
    expected = trades.numbers("quantity")[:, None] * discount.evaluate(LEVELS)[when] * paid
    np.testing.assert_allclose(call - put, expected, rtol=0, atol=1e-12 * 100.0 * 5000.0)


def test_a_scenario_without_a_lognormal_price_is_nan_for_its_trades_alone():
    x = LEVELS[:, :3].copy()
    spot = SNAPSHOT.factor_index("spot:EURUSD")
    x[spot, 1] = -1.1
    values = PREPARED["fx_option"].price(np.arange(N, dtype=np.int32), x)
    assert np.all(np.isnan(values[:, 1]))
    assert values[:, [0, 2]].tobytes() == np.ascontiguousarray(WHOLE["fx_option"][:, [0, 2]]).tobytes()
    x[SNAPSHOT.factor_index("black_vol:SPX:1Y:1.0"), 2] = math.nan
    values = PREPARED["equity_option"].price(np.arange(N, dtype=np.int32), x)
    assert np.isnan(values[:, 2]).any()
    assert np.isfinite(values[:, :2]).all()
