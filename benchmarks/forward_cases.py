"""Forwards, as riskpipe's trades and, with QuantLib's curves and quotes, as a line of Python each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cases import Case, Row, Values
from benchmarks.market import AS_OF, QuantLibMarket, ql_date


def equity_forwards(random: np.random.Generator, n: int) -> Case:
    columns = {
        "underlying": ["SPX"] * n,
        "currency": ["USD"] * n,
        "quantity": random.uniform(1.0, 1e3, n),
        "strike": random.uniform(5000.0, 8000.0, n),
        "expiry_date": AS_OF + random.integers(1, 1800, n),
    }
    return Case(columns, _build_equity_forwards, 6700.0 * columns["quantity"])


def _build_equity_forwards(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    rates, spot, dividends = market.curves["USD.SOFR"], market.quotes["SPX"], market.flat("dividend")
    terms = [(ql_date(row["expiry_date"]), float(row["strike"]), float(row["quantity"])) for row in rows]

    def values() -> list[float]:
        level = spot.value()
        return [q * (level * dividends.discount(day) - k * rates.discount(day)) for day, k, q in terms]

    return values


def commodity_forwards(random: np.random.Generator, n: int) -> Case:
    columns = {
        "underlying": ["WTI"] * n,
        "currency": ["USD"] * n,
        "quantity": random.uniform(1e3, 1e5, n),
        "strike": random.uniform(40.0, 80.0, n),
        "delivery_date": AS_OF + random.integers(1, 1000, n),
    }
    return Case(columns, _build_commodity_forwards, 61.0 * columns["quantity"])


def _build_commodity_forwards(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    rates, price = market.curves["USD.SOFR"], market.quotes["WTI"]
    terms = [(ql_date(row["delivery_date"]), float(row["strike"]), float(row["quantity"])) for row in rows]

    def values() -> list[float]:
        level = price.value()
        return [q * (level - k) * rates.discount(day) for day, k, q in terms]

    return values


def fx_forwards(random: np.random.Generator, n: int) -> Case:
    euro = random.uniform(1e5, 1e7, n)
    columns = {
        "buy_currency": ["EUR"] * n,
        "buy_amount": euro,
        "sell_currency": ["USD"] * n,
        "sell_amount": euro * random.uniform(1.0, 1.3, n),
        "delivery_date": AS_OF + random.integers(3, 1800, n),
    }
    return Case(columns, _build_fx_forwards, euro)


def _build_fx_forwards(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    euro, dollar, spot = market.curves["EUR.ESTR"], market.curves["USD.SOFR"], market.quotes["EURUSD"]
    terms = [(ql_date(row["delivery_date"]), float(row["buy_amount"]), float(row["sell_amount"])) for row in rows]

    def values() -> list[float]:
        level = spot.value()
        return [bought * level * euro.discount(day) - sold * dollar.discount(day) for day, bought, sold in terms]

    return values
