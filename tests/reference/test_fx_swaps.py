"""FX swaps and non-deliverable forwards against QuantLib's discount factors: 1e-12 of the amounts."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, DAY_COUNT, TODAY, FlatMarket, make_trades, random_market

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.fx_swap import FxSwap
from riskpipe.products.ndf import NonDeliverableForward

TRADES, SIZE = 500, 40
TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def market() -> FlatMarket:
    return random_market(np.random.default_rng(3), SIZE)


def amounts(random: np.random.Generator, market: FlatMarket) -> tuple[np.ndarray, dict[str, Any]]:
    """Each trade's currency among all but the last, against the last, which it buys or sells."""
    k, buys = random.integers(0, SIZE - 1, TRADES), random.random(TRADES) < 0.5
    own, last = np.array(market.currencies)[k], market.currencies[-1]
    columns = {"buy_currency": np.where(buys, own, last).tolist(), "sell_currency": np.where(buys, last, own).tolist()}
    return np.where(buys, k, -1 - k), columns


def exchange(market: FlatMarket, k: int, bought: float, sold: float, day: int, scenario: int) -> float:
    """bought - sold in the sold currency; k as of `amounts`."""
    if day <= AS_OF:
        return 0.0
    which = k if k >= 0 else -1 - k

    def discount(currency: int) -> float:
        rate = float(market.rate[currency, scenario])
        return float(ql.FlatForward(TODAY, rate, DAY_COUNT).discount(TODAY + int(day - AS_OF)))

    spot = float(market.spot[which, scenario]) / 100.0
    if k >= 0:
        return bought * spot * discount(which) - sold * discount(SIZE - 1)
    return bought / spot * discount(SIZE - 1) - sold * discount(which)


def test_swaps_are_two_forwards(market: FlatMarket) -> None:
    random = np.random.default_rng(1)
    k, book = amounts(random, market)
    near = AS_OF + random.integers(-20, 300, TRADES)
    far = np.maximum(near + random.integers(0, 800, TRADES), AS_OF)
    near[:4], far[:4] = [AS_OF - 1, AS_OF, AS_OF, AS_OF + 1], [AS_OF, AS_OF, AS_OF + 1, AS_OF + 1]
    names = ("near_buy_amount", "near_sell_amount", "far_buy_amount", "far_sell_amount")
    size = {name: random.uniform(1e5, 1e7, TRADES) for name in names}
    values = market.price(FxSwap(), {**book, **size, "near_date": near, "far_date": far})
    for scenario in range(values.shape[1]):
        for row in range(TRADES):
            first = exchange(market, k[row], size[names[0]][row], size[names[1]][row], near[row], scenario)
            back = exchange(market, k[row], size[names[3]][row], size[names[2]][row], far[row], scenario)
            most = 4e7 * max(market.spot[:, scenario].max() / 100.0, 100.0 / market.spot[:, scenario].min())
            assert abs(values[row, scenario] - (first - back)) < TOLERANCE * most, row


def test_unfixed_ndfs_are_forwards(market: FlatMarket) -> None:
    random = np.random.default_rng(2)
    k, book = amounts(random, market)
    delivery = AS_OF + random.integers(1, 800, TRADES)
    book |= {name: random.uniform(1e5, 1e7, TRADES) for name in ("buy_amount", "sell_amount")}
    own = random.random(TRADES) < 0.5
    settles = np.where(own, book["buy_currency"], book["sell_currency"]).tolist()
    fixing = np.maximum(delivery - random.integers(0, 4, TRADES), AS_OF)
    more = {"settlement_currency": settles, "fixing_date": fixing, "delivery_date": delivery}
    values = market.price(NonDeliverableForward(), {**book, **more})
    for scenario in range(values.shape[1]):
        for row in range(TRADES):
            bought, sold = book["buy_amount"][row], book["sell_amount"][row]
            expected = exchange(market, k[row], bought, sold, delivery[row], scenario)
            which = k[row] if k[row] >= 0 else -1 - k[row]
            spot = market.spot[which, scenario] / 100.0
            if own[row]:  # in the bought currency
                expected = expected / spot if k[row] >= 0 else expected * spot
            assert abs(values[row, scenario] - expected) < TOLERANCE * 4e7 * max(spot, 1.0 / spot), row


def fixed_market(*fixings: tuple[str, str, float]) -> MarketModel:
    rows: list[tuple[str, str, str | None, float]] = [("spot", "USDBRL", None, 5.4)]
    rows += [("zero_rate", "USD.OIS", "2027-11-20", 0.04), ("zero_rate", "BRL.OIS", "2027-11-20", 0.14)]
    rows += [("fixing", *row) for row in fixings]
    kind, name, tenor, value = zip(*rows, strict=True)
    factor = [":".join(part for part in row[:3] if part) for row in rows]
    columns = {"factor": factor, "kind": kind, "name": name, "tenor": tenor, "value": value}
    return MarketModel(MarketSnapshot.from_table(pa.table(columns), AS_OF), Conventions())


FRIDAY, MONDAY = AS_OF, AS_OF + 3
NDF = {
    "buy_currency": ["USD", "BRL"], "buy_amount": [1e6, 5.5e6], "sell_currency": ["BRL", "USD"],
    "sell_amount": [5.5e6, 1e6], "settlement_currency": ["USD", "USD"], "delivery_date": [MONDAY, MONDAY],
}  # fmt: skip


@pytest.mark.parametrize("fixing", [("USDBRL", "2026-11-19", 5.25), ("BRLUSD", "2026-11-19", 1.0 / 5.25)])
def test_a_fixed_ndf_is_a_known_amount(fixing: tuple[str, str, float]) -> None:
    """Brazil's real, fixed yesterday at 5.25, the contract at 5.50: USD 1,000,000 - 5,500,000 / 5.25, on Monday."""
    product, model = NonDeliverableForward(), fixed_market(fixing)
    trades = make_trades(product, NDF | {"fixing_date": [FRIDAY - 1] * 2})
    assert product.validate(trades, AS_OF) == []
    assert product.missing_points(trades, model) == []
    x = np.column_stack((model.snapshot.x0, model.snapshot.x0 * 1.1))
    values = product.prepare(trades, model).price(np.arange(2, dtype=np.int32), x)
    owed = 1e6 - 5.5e6 / 5.25
    assert values[0] == pytest.approx(owed * np.exp(np.array([-0.04, -0.044]) * 3 / 365), rel=1e-12)
    assert values[1] == pytest.approx(-values[0], rel=1e-12)


@pytest.mark.parametrize(("fixings", "known"), [((("USDBRL", "2026-11-20", 5.25),), True), ((), False)])
def test_todays_fixing_counts_where_it_is_there(fixings: tuple[tuple[str, str, float], ...], known: bool) -> None:
    product, model = NonDeliverableForward(), fixed_market(*fixings)
    trades = make_trades(product, NDF | {"fixing_date": [FRIDAY] * 2})
    assert product.missing_points(trades, model) == []
    value = product.prepare(trades, model).price(np.arange(2, dtype=np.int32), model.base)[0, 0]
    forward = 5.4 * np.exp((0.14 - 0.04) * 3 / 365)
    expected = (1e6 - 5.5e6 / (5.25 if known else forward)) * np.exp(-0.04 * 3 / 365)
    assert value == pytest.approx(expected, rel=1e-10)


def test_a_missing_fixing_is_told() -> None:
    product, model = NonDeliverableForward(), fixed_market(("USDBRL", "2026-11-18", 5.25))
    trades = make_trades(product, NDF | {"fixing_date": [FRIDAY - 1, FRIDAY - 2]})
    (fault,) = product.missing_points(trades, model)
    assert (fault.reason, fault.rows.tolist()) == (Reason.MISSING_MARKET_DATA, [0])
    assert "fixing:USDBRL:2026-11-19" in fault.message
    assert "fixing:BRLUSD:2026-11-19" in fault.message
    assert np.isnan(product.prepare(trades, model).price(np.arange(2, dtype=np.int32), model.base)[0, 0])


def test_rules() -> None:
    ndf, swap = NonDeliverableForward(), FxSwap()
    book = NDF | {"fixing_date": [MONDAY, MONDAY + 1], "settlement_currency": ["EUR", "USD"]}
    faults = [(fault.column, fault.rule, fault.rows.tolist()) for fault in ndf.validate(make_trades(ndf, book), AS_OF)]
    assert faults == [("settlement_currency", "settlement_currency", [0]), ("delivery_date", "date_order", [1])]
    book = {name: [1e6] * 3 for name in ("near_buy_amount", "near_sell_amount", "far_buy_amount", "far_sell_amount")}
    book |= {"buy_currency": ["USD", "EUR", "USD"], "sell_currency": ["USD"] * 3}
    book |= {"near_date": [AS_OF - 3, AS_OF + 2, AS_OF], "far_date": [AS_OF - 1, AS_OF + 1, AS_OF]}
    faults = [
        (fault.column, fault.rule, fault.rows.tolist()) for fault in swap.validate(make_trades(swap, book), AS_OF)
    ]
    assert faults == [
        ("buy_currency", "two_currencies", [0, 2]), ("far_date", "date_order", [1]), ("far_date", "not_past", [0]),
    ]  # fmt: skip


def test_a_swap_from_spot_at_the_forwards_of_its_own_dates_is_worth_nothing() -> None:
    """USDTRY, T+1 by its own rule, Monday after Friday: points alone remain, and these are fair."""
    assert date.fromordinal(AS_OF + date(1970, 1, 1).toordinal()) == date(2026, 11, 20)
    rows = [("spot", "USDTRY", None, 42.0), ("zero_rate", "USD.OIS", "1Y", 0.04), ("zero_rate", "TRY.OIS", "1Y", 0.4)]
    kind, name, tenor, value = zip(*rows, strict=True)
    factor = [":".join(part for part in row[:3] if part) for row in rows]
    table = pa.table({"factor": factor, "kind": kind, "name": name, "tenor": tenor, "value": value})
    model = MarketModel(MarketSnapshot.from_table(table, AS_OF), Conventions(fx_spot="spot_date"))
    near, far = AS_OF + 3, AS_OF + 3 + 91
    forward = 42.0 * np.exp((0.4 - 0.04) * 91 / 365)
    book = {"buy_currency": ["USD"], "sell_currency": ["TRY"], "near_buy_amount": [1e7], "near_sell_amount": [4.2e8]}
    book |= {"far_sell_amount": [1e7], "far_buy_amount": [1e7 * forward], "near_date": [near], "far_date": [far]}
    product, forwards = FxSwap(), FxForward()
    swap = product.prepare(make_trades(product, book), model).price(np.zeros(1, np.int32), model.base)[0, 0]
    assert swap == pytest.approx(0.0, abs=1e-5)
    book = {"buy_currency": ["USD"], "sell_currency": ["TRY"], "buy_amount": [1e7], "sell_amount": [1e7 * forward]}
    trades = make_trades(forwards, book | {"delivery_date": [far]})
    spot = forwards.prepare(trades, model).price(np.zeros(1, np.int32), model.base)[0, 0]
    today = MarketModel(model.snapshot, Conventions())
    lag = forwards.prepare(trades, today).price(np.zeros(1, np.int32), model.base)[0, 0] - spot
    assert spot == pytest.approx(0.0, abs=1e-5)
    expected = 1e7 * 42.0 * np.exp(-0.04 * 94 / 365) * (1.0 - np.exp(-0.36 * 3 / 365))
    assert lag == pytest.approx(expected, rel=1e-9), "in lira, 10 million dollars' worth of three days' carry"
