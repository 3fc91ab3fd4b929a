"""Forwards, cash and shares, as riskpipe's trades and, with QuantLib's curves and quotes, as a line of Python each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import QuantLib as ql  # noqa: N813

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


def commodity_swaps(random: np.random.Generator, n: int) -> Case:
    """Monthly averages over the business days of a month to two years."""
    first = np.datetime64("2026-12") + random.integers(0, 6, n)
    months = random.choice([1, 3, 6, 12, 24], n)
    columns = {
        "underlying": ["WTI"] * n,
        "currency": ["USD"] * n,
        "quantity": random.uniform(1e3, 1e5, n),
        "fixed_price": random.uniform(40.0, 80.0, n),
        "start_date": first.astype("datetime64[D]").astype(int),
        "maturity_date": (first + months).astype("datetime64[D]").astype(int) - 1,
        "calendar": ["TARGET"] * n,
        "payment_lag": [5.0] * n,
    }
    return Case(columns, _build_commodity_swaps, 61.0 * columns["quantity"] * months)


def _build_commodity_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    """The price is the same on all days: an average is one price here, which favours QuantLib."""
    rates, price, calendar = market.curves["USD.SOFR"], market.quotes["WTI"], ql.TARGET()
    terms = []
    for row in rows:
        step, rule = ql.Period(1, ql.Months), ql.DateGeneration.Backward
        days = ql_date(row["start_date"]), ql_date(row["maturity_date"] + 1)
        ends = list(ql.Schedule(*days, step, ql.NullCalendar(), ql.Unadjusted, ql.Unadjusted, rule, False))[1:]
        paid = [calendar.advance(end - 1, 5, ql.Days) for end in ends]
        terms.append((paid, float(row["fixed_price"]), float(row["quantity"])))

    def values() -> list[float]:
        level = price.value()
        return [sum(q * (level - k) * rates.discount(day) for day in paid) for paid, k, q in terms]

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


def equity_futures(random: np.random.Generator, n: int) -> Case:
    terms = equity_forwards(random, n).columns
    columns = {**terms, "contract_size": np.full(n, 50.0), "reference_price": terms.pop("strike")}
    return Case(columns, _build_equity_futures, 50.0 * 6700.0 * columns["quantity"])


def _build_equity_futures(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    rates, spot, dividends = market.curves["USD.SOFR"], market.quotes["SPX"], market.flat("dividend")
    terms = [(ql_date(row["expiry_date"]), *_margined(row)) for row in rows]

    def values() -> list[float]:
        level = spot.value()
        return [q * (level * dividends.discount(day) / rates.discount(day) - k) for day, k, q in terms]

    return values


def _margined(row: Row) -> tuple[float, float]:
    return float(row["reference_price"]), float(row["quantity"]) * float(row["contract_size"])


def commodity_futures(random: np.random.Generator, n: int) -> Case:
    terms = commodity_forwards(random, n).columns
    reference, day = terms.pop("strike"), terms.pop("delivery_date")
    columns = {**terms, "contract_size": np.ones(n), "reference_price": reference, "expiry_date": day}
    return Case(columns, _build_commodity_futures, 61.0 * columns["quantity"])


def _build_commodity_futures(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    price, terms = market.quotes["WTI"], [_margined(row) for row in rows]
    return lambda: [q * (price.value() - k) for k, q in terms]


def fx_futures(random: np.random.Generator, n: int) -> Case:
    expiry = AS_OF + random.integers(3, 700, n)
    columns = {
        "pair": ["EURUSD"] * n,
        "quantity": random.uniform(1.0, 100.0, n),
        "contract_size": np.full(n, 125_000.0),
        "reference_price": random.uniform(1.0, 1.3, n),
        "expiry_date": expiry,
        "delivery_date": expiry + 2,
    }
    return Case(columns, _build_fx_futures, 125_000.0 * columns["quantity"])


def _build_fx_futures(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    euro, dollar, spot = market.curves["EUR.ESTR"], market.curves["USD.SOFR"], market.quotes["EURUSD"]
    terms = [(ql_date(row["delivery_date"]), *_margined(row)) for row in rows]

    def values() -> list[float]:
        level = spot.value()
        return [q * (level * euro.discount(day) / dollar.discount(day) - k) for day, k, q in terms]

    return values


def fx_swaps(random: np.random.Generator, n: int) -> Case:
    euro, near = random.uniform(1e5, 1e7, n), AS_OF + random.integers(3, 90, n)
    columns = {
        "buy_currency": ["EUR"] * n,
        "sell_currency": ["USD"] * n,
        "near_buy_amount": euro,
        "near_sell_amount": euro * random.uniform(1.0, 1.3, n),
        "far_buy_amount": euro * random.uniform(1.0, 1.3, n),
        "far_sell_amount": euro,
        "near_date": near,
        "far_date": near + random.integers(7, 700, n),
    }
    return Case(columns, _build_fx_swaps, euro)


def _build_fx_swaps(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    legs = [
        _build_fx_forwards(market, [_leg(row, "near", 1.0) for row in rows]),
        _build_fx_forwards(market, [_leg(row, "far", -1.0) for row in rows]),
    ]
    return lambda: [near + far for near, far in zip(*(leg() for leg in legs), strict=True)]


def _leg(row: Row, which: str, sign: float) -> Row:
    bought, sold = ("buy", "sell") if sign > 0.0 else ("sell", "buy")
    amounts = {
        "buy_amount": sign * row[f"{which}_{bought}_amount"],
        "sell_amount": sign * row[f"{which}_{sold}_amount"],
    }
    return {**amounts, "delivery_date": row[f"{which}_date"]}


def ndfs(random: np.random.Generator, n: int) -> Case:
    case = fx_forwards(random, n)
    days = case.columns["delivery_date"]
    return case._replace(columns={**case.columns, "settlement_currency": ["USD"] * n, "fixing_date": days - 2})


def cash_balances(random: np.random.Generator, n: int) -> Case:
    amount = random.uniform(1e5, 1e7, n)
    columns = {"currency": ["USD"] * n, "amount": amount, "value_date": AS_OF + random.integers(1, 30, n)}
    return Case(columns, _build_cash_balances, amount)


def _build_cash_balances(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    rates = market.curves["USD.SOFR"]
    terms = [(ql_date(row["value_date"]), float(row["amount"])) for row in rows]
    return lambda: [amount * rates.discount(day) for day, amount in terms]


def equity_positions(random: np.random.Generator, n: int) -> Case:
    columns = {"underlying": ["SPX"] * n, "currency": ["USD"] * n, "quantity": random.uniform(1.0, 1e3, n)}
    return Case(columns, _build_equity_positions, 6700.0 * columns["quantity"])


def _build_equity_positions(market: QuantLibMarket, rows: Sequence[Row]) -> Values:
    spot, quantities = market.quotes["SPX"], [float(row["quantity"]) for row in rows]
    return lambda: [quantity * spot.value() for quantity in quantities]
