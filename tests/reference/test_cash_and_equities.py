"""Cash balances against QuantLib's discount factors, equity positions against sums by hand: 1e-12 of the amount."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.cash_balance import CashBalance
from riskpipe.products.dependencies import dependencies
from riskpipe.products.equity_position import EquityPosition

AS_OF = 20777  # 2026-11-20
TRADES = 500
TOLERANCE = 1e-12
CONVENTIONS = Conventions(discount_curves={"USD": "USD.SOFR", "EUR": "EUR.ESTR"})


def test_cash_balances(rates: Any) -> None:
    random = np.random.default_rng(1)
    pillars = [AS_OF + days for days in (1, 91, 365, 1826)]
    market = rates.Market(
        AS_OF,
        {
            ("zero_rate", "USD.SOFR"): (pillars, [0.04, 0.041, 0.039, 0.038]),
            ("zero_rate", "EUR.ESTR"): (pillars, [-0.004, -0.003, 0.0, 0.01]),
        },
    )
    dollars, value_date = random.random(TRADES) < 0.5, AS_OF + random.integers(-30, 800, TRADES)
    dated = random.random(TRADES) < 0.7
    amount = random.normal(0.0, 1e7, TRADES)
    days = pa.array(value_date.astype(np.int32), mask=~dated).cast(pa.date32())
    currency = np.where(dollars, "USD", "EUR").tolist()
    trades = rates.trades(CashBalance(), {"currency": currency, "amount": amount, "value_date": days})
    shocked = market.shocked(random)
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    prepared = CashBalance().prepare(trades, market.model(CONVENTIONS))
    values = prepared.price(np.arange(TRADES, dtype=np.int32), x)
    ql.Settings.instance().evaluationDate = rates.ql_date(AS_OF)
    for column, oracle in enumerate((market, shocked)):
        curves = {"USD": oracle.discount("USD.SOFR"), "EUR": oracle.discount("EUR.ESTR")}
        for k in range(TRADES):
            waits = dated[k] and value_date[k] > AS_OF
            discount = curves[currency[k]].discount(rates.ql_date(value_date[k])) if waits else 1.0
            assert abs(values[k, column] - amount[k] * discount) <= TOLERANCE * abs(amount[k]), k


def equity_market() -> MarketSnapshot:
    rows = [("SHARE", "USD", 50.0), ("FUND", "USD", 20.0), ("SX5E", "EUR", 5600.0), ("SPX", "USD", 6700.0)]
    name, currency, value = zip(*rows, strict=True)
    factor = [f"spot:{each}" for each in name]
    columns = {"factor": factor, "kind": ["spot"] * len(rows), "name": name, "currency": currency, "value": value}
    return MarketSnapshot.from_table(pa.table(columns), AS_OF)


def test_equity_positions(rates: Any) -> None:
    """Shares by their spot; funds by a beta to a proxy, in another currency too, from their own spot or a price."""
    random, snapshot = np.random.default_rng(2), equity_market()
    model, product = MarketModel(snapshot, CONVENTIONS), EquityPosition()
    kind = random.integers(0, 4, TRADES)
    beta = np.where(kind % 2 == 1, random.uniform(-2.0, 3.0, TRADES), np.nan)
    price = np.where(kind == 3, random.uniform(1.0, 500.0, TRADES), np.nan)
    proxy = [None if k == 0 else ("SX5E", "SPX")[k % 2] for k in kind]
    book = {
        "underlying": [("SHARE", "FUND", "FUND", "NOWHERE")[k] for k in kind],
        "currency": ["USD"] * TRADES,
        "quantity": random.normal(0.0, 1e4, TRADES),
        "proxy": proxy,
        "beta": np.where(kind == 0, np.nan, beta),
        "price": price,
    }
    trades = rates.trades(product, book)
    assert product.validate(trades, AS_OF) == []
    assert dependencies(product, trades, model, "USD").faults == ()
    x = np.column_stack((snapshot.x0, snapshot.x0 * random.uniform(0.7, 1.2, len(snapshot.x0))))
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    level = {group.name: x[group.start] for group in snapshot.groups}
    for k in range(TRADES):
        if proxy[k] is None:
            expected = level["SHARE"]
        else:
            own = price[k] if kind[k] == 3 else level["FUND"][0]
            times = beta[k] if kind[k] % 2 == 1 else 1.0
            expected = own * (1.0 + times * (level[proxy[k]] / level[proxy[k]][0] - 1.0))
        expected = book["quantity"][k] * expected
        np.testing.assert_allclose(values[k], expected, rtol=0.0, atol=TOLERANCE * abs(book["quantity"][k]) * 1e3)


def test_a_fund_that_is_moved_by_a_proxy_does_not_depend_on_its_own_spot(rates: Any) -> None:
    product, model = EquityPosition(), MarketModel(equity_market(), CONVENTIONS)
    book = {"underlying": ["FUND"], "currency": ["USD"], "quantity": [10.0], "proxy": ["SPX"], "beta": [1.0]}
    needs = dependencies(product, rates.trades(product, book), model, "USD")
    names = [model.snapshot.groups[g].name for column in needs.pricing for g in column.tolist() if g >= 0]
    assert names == ["SPX"]


def test_a_price_in_another_currency_is_none(rates: Any) -> None:
    product, model = EquityPosition(), MarketModel(equity_market(), CONVENTIONS)
    book = {"underlying": ["SX5E", "FUND"], "currency": ["USD", "EUR"], "quantity": [1.0, 1.0], "proxy": [None, "SPX"]}
    faults = dependencies(product, rates.trades(product, book), model, "USD").faults
    assert [fault.rows.tolist() for fault in faults if fault.rule == "currency"] == [[0], [1]]


def test_a_beta_without_a_proxy(rates: Any) -> None:
    product = EquityPosition()
    book = {"underlying": ["SHARE"] * 2, "currency": ["USD"] * 2, "quantity": [1.0] * 2, "beta": [1.5, None]}
    (fault,) = product.validate(rates.trades(product, book), AS_OF)
    assert (fault.column, fault.rule, fault.rows.tolist()) == ("beta", "proxy", [0])
