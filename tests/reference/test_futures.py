"""Futures, and options on futures, against QuantLib: 1e-10 of the notional, American ones 1e-6 of the strike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, DAY_COUNT, TODAY, FlatMarket, make_trades, process, random_market

from riskpipe.arrays import FloatArray
from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.commodity_future import CommodityFuture
from riskpipe.products.dependencies import dependencies
from riskpipe.products.equity_future import EquityFuture
from riskpipe.products.future_option import FutureOption
from riskpipe.products.fx_future import FxFuture

TRADES, SIZE = 500, 40


@pytest.fixture(scope="module")
def market() -> FlatMarket:
    return random_market(np.random.default_rng(5), SIZE)


def discount(rate: float, day: int) -> float:
    return float(ql.FlatForward(TODAY, float(rate), DAY_COUNT).discount(TODAY + int(day - AS_OF)))


def position(random: np.random.Generator) -> dict[str, Any]:
    expiry = AS_OF + random.integers(0, 800, TRADES)
    expiry[:2] = AS_OF
    return {
        "quantity": random.integers(-50, 50, TRADES).astype(float),
        "contract_size": random.choice([1.0, 10.0, 50.0], TRADES),
        "reference_price": random.uniform(50.0, 150.0, TRADES),
        "expiry_date": expiry,
    }


def test_equity_futures(market: FlatMarket) -> None:
    random = np.random.default_rng(1)
    k, book = random.integers(0, SIZE, TRADES), position(random)
    names = {"underlying": np.array(market.equities)[k].tolist(), "currency": np.array(market.currencies)[k].tolist()}
    values = market.price(EquityFuture(), {**names, **book})
    for scenario in range(values.shape[1]):
        for row in range(TRADES):
            spot, day = market.spot[k[row], scenario], book["expiry_date"][row]
            grown = discount(market.dividend[k[row], scenario], day) / discount(market.rate[k[row], scenario], day)
            size = book["quantity"][row] * book["contract_size"][row]
            expected = size * (spot * grown - book["reference_price"][row])
            assert abs(values[row, scenario] - expected) <= 1e-10 * abs(size) * spot, row


def test_fx_futures(market: FlatMarket) -> None:
    random = np.random.default_rng(2)
    k, book = random.integers(0, SIZE - 1, TRADES), position(random)
    book |= {"reference_price": random.uniform(0.5, 1.5, TRADES), "pair": [market.pair(each) for each in k]}
    book |= {"delivery_date": book["expiry_date"] + random.integers(0, 4, TRADES)}
    values = market.price(FxFuture(), book)
    for scenario in range(values.shape[1]):
        for row in range(TRADES):
            spot, day = market.spot[k[row], scenario] / 100.0, book["delivery_date"][row]
            grown = discount(market.rate[k[row], scenario], day) / discount(market.rate[-1, scenario], day)
            size = book["quantity"][row] * book["contract_size"][row]
            expected = size * (spot * grown - book["reference_price"][row])
            assert abs(values[row, scenario] - expected) <= 1e-10 * abs(size) * spot, row


PRICES = {10: 61.0, 40: 62.5, 70: 60.0, 130: 66.0, 400: 58.0}


def listed_market() -> MarketSnapshot:
    """Forward prices of oil and gas and of futures named by their code; curves that the latter must not move by."""
    rows: list[tuple[str, str, str | None, float]] = [("spot", "SPX", None, 6700.0), ("spot", "EURUSD", None, 1.16)]
    rows += [("zero_rate", name, "2030-11-20", rate) for name, rate in (("USD.OIS", 0.04), ("EUR.OIS", 0.02))]
    for name, scale in (("WTI", 1.0), ("GAS", 0.05), ("ES", 110.0), ("6E", 0.019)):
        rows += [("forward_price", name, iso(AS_OF + days), scale * price) for days, price in PRICES.items()]
        vols = (("black_vol", 0.35), ("normal_vol", 0.3 * scale * 60.0))
        rows += [(kind, name, "2030-11-20", vol) for kind, vol in vols]
    kind, name, tenor, value = zip(*rows, strict=True)
    factor = [":".join(part for part in row[:3] if part) for row in rows]
    columns = {"factor": factor, "kind": kind, "name": name, "tenor": tenor, "value": value}
    atm = pa.array(["atm" if each.endswith("vol") else None for each in kind], pa.string())
    return MarketSnapshot.from_table(pa.table({**columns, "strike_type": atm}), AS_OF)


def iso(day: int) -> str:
    return str(np.datetime64(int(day), "D"))


def moved(snapshot: MarketSnapshot) -> FloatArray:
    """float64[n_factors, 2]: today, and every level by some per cent."""
    shock = np.exp(0.05 * np.random.default_rng(4).standard_normal(len(snapshot.x0)))
    return np.column_stack((snapshot.x0, snapshot.x0 * shock))


def futures_price(snapshot: MarketSnapshot, x: FloatArray, name: str, day: int) -> float:
    group = snapshot.group("forward_price", name)
    assert group is not None
    days, prices = list(PRICES), x[group.start : group.stop].tolist()
    at = min(max(float(day - AS_OF), float(days[0])), float(days[-1]))
    return float(ql.LinearInterpolation([float(each) for each in days], prices)(at))


def value(product: Product, snapshot: MarketSnapshot, book: dict[str, Any]) -> FloatArray:
    trades, model = make_trades(product, book), MarketModel(snapshot, Conventions())
    assert product.validate(trades, AS_OF) == []
    assert dependencies(product, trades, model, "USD").faults == ()
    return product.prepare(trades, model).price(np.arange(len(trades), dtype=np.int32), moved(snapshot))


def test_commodity_futures() -> None:
    random, snapshot = np.random.default_rng(3), listed_market()
    book = position(random) | {"underlying": ["WTI"] * TRADES, "currency": ["USD"] * TRADES}
    own = random.random(TRADES) < 0.5
    delivery = book["expiry_date"] + random.integers(1, 40, TRADES)
    days = pa.array(delivery.astype(np.int32), mask=own).cast(pa.date32())
    trades = make_trades(CommodityFuture(), book)
    table = trades.table.append_column("delivery_date", days)
    prepared = CommodityFuture().prepare(type(trades)(table), MarketModel(snapshot, Conventions()))
    x = moved(snapshot)
    values = prepared.price(np.arange(TRADES, dtype=np.int32), x)
    for scenario in range(2):
        for row in range(TRADES):
            day = book["expiry_date"][row] if own[row] else delivery[row]
            size = book["quantity"][row] * book["contract_size"][row]
            price = futures_price(snapshot, x[:, scenario], "WTI", day)
            assert abs(values[row, scenario] - size * (price - book["reference_price"][row])) <= 1e-10 * abs(size) * 60


def test_futures_with_prices_of_their_own() -> None:
    """Marked to them, by expiry, beside others that are made of spots and curves; and moved by nothing else."""
    snapshot = listed_market()
    book = {"quantity": [2.0] * 3, "contract_size": [50.0] * 3, "expiry_date": [AS_OF + 55] * 3}
    equity = book | {"underlying": ["SPX", "SPX", "NONE"], "contract": ["ES", None, "ES"], "currency": ["USD"] * 3}
    pair = book | {"pair": ["EURUSD"] * 3, "contract": [None, "6E", None], "delivery_date": [AS_OF + 57] * 3}
    x, growth = moved(snapshot), np.exp(0.04 * 55 / 365)
    own = np.array([futures_price(snapshot, x[:, s], "ES", AS_OF + 55) for s in range(2)])
    found = value(EquityFuture(), snapshot, {**equity, "reference_price": [6600.0] * 3})
    assert found[0] == pytest.approx(100.0 * (own - 6600.0), rel=1e-12)
    assert np.array_equal(found[2], found[0])
    assert found[1, 0] == pytest.approx(100.0 * (6700.0 * growth - 6600.0), rel=1e-12)
    own = np.array([futures_price(snapshot, x[:, s], "6E", AS_OF + 55) for s in range(2)])
    found = value(FxFuture(), snapshot, {**pair, "reference_price": [1.1] * 3})
    assert found[1] == pytest.approx(100.0 * (own - 1.1), rel=1e-12)
    assert found[0, 0] == pytest.approx(100.0 * (1.16 * np.exp(0.02 * 57 / 365) - 1.1), rel=1e-12)
    assert np.array_equal(found[2], found[0])
    model = MarketModel(snapshot, Conventions())
    for product, given, row in ((EquityFuture(), equity, 0), (FxFuture(), pair, 1)):
        trades = make_trades(product, {**given, "reference_price": [1.0] * 3})
        needs = dependencies(product, trades, model, "USD").pricing
        kinds = {snapshot.groups[column[row]].kind for column in needs if column[row] >= 0}
        assert kinds == {"forward_price"}


def option_book(random: np.random.Generator) -> dict[str, Any]:
    gas = random.random(TRADES) < 0.5
    expiry = AS_OF + random.integers(1, 700, TRADES)
    return {
        "underlying": np.where(gas, "GAS", "WTI").tolist(),
        "currency": ["USD"] * TRADES,
        "quantity": random.normal(0.0, 10.0, TRADES),
        "contract_size": [1000.0] * TRADES,
        "option_type": random.choice(["call", "put"], TRADES).tolist(),
        "strike": np.where(gas, 3.0, 60.0) * random.uniform(0.7, 1.4, TRADES),
        "expiry_date": expiry,
        "delivery_date": expiry + random.integers(0, 40, TRADES),
        "margining": random.choice(["premium", "futures"], TRADES).tolist(),
    }


def test_european_options_on_futures() -> None:
    """American ones too, where they are margined like futures: QuantLib's formulas of Black and Bachelier."""
    random, snapshot = np.random.default_rng(6), listed_market()
    book = option_book(random)
    margined = np.array(book["margining"]) == "futures"
    normal, paid = random.random(TRADES) < 0.4, np.where(margined, random.uniform(0.0, 10.0, TRADES), np.nan)
    american = margined & (random.random(TRADES) < 0.5)
    book |= {"model": np.where(normal, "bachelier", "black").tolist(), "reference_price": paid}
    book |= {"exercise": np.where(american, "american", "european").tolist()}
    values, x = value(FutureOption(), snapshot, book), moved(snapshot)
    for scenario in range(2):
        level = {group.name: x[group.start, scenario] for group in snapshot.groups if group.kind == "zero_rate"}
        for row in range(TRADES):
            name, days = book["underlying"][row], book["expiry_date"][row] - AS_OF
            price = futures_price(snapshot, x[:, scenario], name, book["delivery_date"][row])
            group = snapshot.group("normal_vol" if normal[row] else "black_vol", name)
            assert group is not None
            deviation = x[group.start, scenario] * np.sqrt(days / 365)
            paid_later = 1.0 if margined[row] else np.exp(-level["USD.OIS"] * days / 365)
            kind = ql.Option.Call if book["option_type"][row] == "call" else ql.Option.Put
            formula = ql.bachelierBlackFormula if normal[row] else ql.blackFormula
            worth = formula(kind, float(book["strike"][row]), price, float(deviation), float(paid_later))
            size = 1000.0 * book["quantity"][row]
            expected = size * (worth - (paid[row] if margined[row] else 0.0))
            assert abs(values[row, scenario] - expected) <= 1e-10 * abs(size) * price, row


def test_american_options_on_futures() -> None:
    """On an asset whose carry is nothing: QuantLib's fixed-point engine with a dividend yield that is the rate."""
    random, snapshot = np.random.default_rng(7), listed_market()
    book = {name: each[:60] for name, each in option_book(random).items()}
    book |= {"margining": ["premium"] * 60, "exercise": ["american"] * 60}
    values, x = value(FutureOption(), snapshot, book), moved(snapshot)
    european = value(FutureOption(), snapshot, book | {"exercise": ["european"] * 60})
    assert (np.abs(values) >= np.abs(european) - 1e-9).all()
    assert (np.abs(values) > 1.0001 * np.abs(european)).sum() > 40
    for scenario in range(2):
        level = {f"{group.kind}:{group.name}": x[group.start, scenario] for group in snapshot.groups}
        for row in range(60):
            name, day = book["underlying"][row], book["expiry_date"][row]
            price = futures_price(snapshot, x[:, scenario], name, book["delivery_date"][row])
            rate = level["zero_rate:USD.OIS"]
            kind = ql.Option.Call if book["option_type"][row] == "call" else ql.Option.Put
            option = ql.VanillaOption(
                ql.PlainVanillaPayoff(kind, float(book["strike"][row])),
                ql.AmericanExercise(TODAY, TODAY + int(day - AS_OF)),
            )
            engine = ql.QdFpAmericanEngine(
                process(price, rate, rate, level[f"black_vol:{name}"]), ql.QdFpAmericanEngine.highPrecisionScheme()
            )
            ql.Settings.instance().evaluationDate = TODAY
            option.setPricingEngine(engine)
            size = 1000.0 * book["quantity"][row]
            assert abs(values[row, scenario] - size * option.NPV()) <= 1e-6 * abs(size) * book["strike"][row], row


def test_rules() -> None:
    product = FutureOption()
    book = {name: each[:6] for name, each in option_book(np.random.default_rng(1)).items()}
    book |= {
        "strike": [60.0, -1.0, -1.0, 60.0, 60.0, 60.0],
        "model": ["black", None, "bachelier", "bachelier", "bachelier", "black"],
        "exercise": ["european", "european", "european", "american", "american", "american"],
        "margining": ["futures", "premium", "premium", "premium", "futures", "premium"],
        "reference_price": [None, None, None, None, 2.0, 2.0],
        "expiry_date": [AS_OF + 10] * 6,
        "delivery_date": [AS_OF + 10] * 5 + [AS_OF + 9],
    }
    told = product.validate(make_trades(product, book), AS_OF)
    faults = [(each.column, each.rule, each.rows.tolist()) for each in told]
    assert faults == [
        ("delivery_date", "date_order", [5]),
        ("strike", "positive", [1]),
        ("reference_price", "margining", [0, 5]),
        ("model", "american_bachelier", [3]),
    ]
    assert told[-1].reason is Reason.UNSUPPORTED
    for future in (EquityFuture(), CommodityFuture()):
        numbers = {name: [1.0] * 2 for name in ("quantity", "contract_size", "reference_price")}
        given = numbers | {"underlying": ["X"] * 2, "currency": ["USD", "usd"], "expiry_date": [AS_OF - 1, AS_OF]}
        found = future.validate(make_trades(future, given), AS_OF)
        assert [(each.rule, each.rows.tolist()) for each in found] == [("currency", [1]), ("not_past", [0])]
