"""Equity and commodity forwards and rate agreements against QuantLib: 1e-10 of notional, base and shocked market."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813

from riskpipe.errors import Reason
from riskpipe.market.conventions import Conventions, IndexConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.commodity_forward import CommodityForward
from riskpipe.products.equity_forward import EquityForward
from riskpipe.products.fra import ForwardRateAgreement

AS_OF = (date(2026, 11, 20) - date(1970, 1, 1)).days
TRADES = 500
TOLERANCE = 1e-10
PILLARS = [AS_OF + days for days in (1, 91, 365, 1826, 3652, 10957)]
EXPIRIES = (AS_OF, AS_OF + 1, AS_OF + 2, AS_OF + 50 * 365 + 12)
CONVENTIONS = Conventions(discount_curves={"USD": "USD.SOFR", "EUR": "EUR.ESTR"})


def levels_of(rows: list[tuple[Any, ...]], seed: int | None) -> dict[str, float]:
    random = np.random.default_rng(seed)
    moves = random.normal(0.0, 1.0 if seed is not None else 0.0, len(rows))
    size = {"spot": 0.1, "forward_price": 0.1}
    return {
        f"{kind}:{name}:{tenor}": value * (1.0 + size[kind] * move) if kind in size else value + 0.004 * move
        for (kind, name, tenor, value), move in zip(rows, moves, strict=True)
    }


def snapshot_of(rates: Any, rows: list[tuple[Any, ...]], seed: int | None = None) -> MarketSnapshot:
    levels = levels_of(rows, seed)
    kind, name, tenor, _ = zip(*rows, strict=True)
    days = [None if t is None else rates.iso(t) for t in tenor]
    columns = {"factor": [f"{k}:{n}:{d}" for k, n, d in zip(kind, name, days, strict=True)], "kind": kind}
    return MarketSnapshot.from_table(
        pa.table({**columns, "name": name, "tenor": days, "value": list(levels.values())}), AS_OF
    )


def curve_of(rates: Any, rows: list[tuple[Any, ...]], kind: str, name: str, seed: int | None) -> Any:
    levels = levels_of(rows, seed)
    points = [(tenor, levels[f"{k}:{n}:{tenor}"]) for k, n, tenor, _ in rows if (k, n) == (kind, name)]
    pillars, values = zip(*points, strict=True)
    return rates.Market(AS_OF, {("zero_rate", name): (list(pillars), list(values))}).discount(name, AS_OF)


def market_rows() -> list[tuple[Any, ...]]:
    random = np.random.default_rng(3)
    rows: list[tuple[Any, ...]] = [("spot", "SPX", None, 6700.0), ("spot", "DAX", None, 24000.0)]
    for kind, name, level in (
        ("zero_rate", "USD.SOFR", 0.04), ("zero_rate", "EUR.ESTR", -0.004),
        ("dividend_yield", "SPX", 0.012),
    ):  # fmt: skip
        rows += [(kind, name, day, level + 0.003 * random.standard_normal()) for day in PILLARS]
    rows += [("forward_price", "WTI", AS_OF + days, 60.0 + days / 50.0) for days in (-3, 20, 51, 80, 400, 900)]
    return rows


ROWS = market_rows()
SEEDS = (None, 4)


def x_of(rates: Any) -> np.ndarray:
    return np.column_stack([snapshot_of(rates, ROWS, seed).x0 for seed in SEEDS])


def expiries(random: np.random.Generator) -> np.ndarray:
    days = AS_OF + random.integers(1, 5000, TRADES)
    days[-8:] = AS_OF + 18_250
    days[: len(EXPIRIES)] = EXPIRIES
    return days


def test_equity_forwards_are_calls_less_puts(rates: Any) -> None:
    product, random = EquityForward(), np.random.default_rng(1)
    spx, expiry = random.random(TRADES) < 0.5, expiries(random)
    spot = np.where(spx, 6700.0, 24000.0)
    book = {
        "underlying": np.where(spx, "SPX", "DAX").tolist(),
        "currency": np.where(spx, "USD", "EUR").tolist(),
        "quantity": random.normal(0.0, 100.0, TRADES),
        "strike": spot * random.uniform(0.5, 1.6, TRADES),
        "expiry_date": expiry,
    }
    trades = rates.trades(product, book)
    assert product.validate(trades, AS_OF) == []
    model = MarketModel(snapshot_of(rates, ROWS), CONVENTIONS)
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x_of(rates))
    ql.Settings.instance().evaluationDate = rates.ql_date(AS_OF)
    ql.Settings.instance().includeReferenceDateEvents = True
    flat = ql.YieldTermStructureHandle(ql.FlatForward(rates.ql_date(AS_OF), 0.0, ql.Actual365Fixed()))
    for column, seed in enumerate(SEEDS):
        levels = levels_of(ROWS, seed)
        engines = {}
        for name, curve in (("SPX", "USD.SOFR"), ("DAX", "EUR.ESTR")):
            dividends = curve_of(rates, ROWS, "dividend_yield", "SPX", seed) if name == "SPX" else flat
            process = ql.BlackScholesMertonProcess(
                ql.QuoteHandle(ql.SimpleQuote(levels[f"spot:{name}:None"])),
                dividends,
                curve_of(rates, ROWS, "zero_rate", curve, seed),
                ql.BlackVolTermStructureHandle(
                    ql.BlackConstantVol(rates.ql_date(AS_OF), ql.NullCalendar(), 0.2, ql.Actual365Fixed())
                ),
            )
            engines[name] = ql.AnalyticEuropeanEngine(process)
        for k in range(TRADES):
            legs = []
            for kind in (ql.Option.Call, ql.Option.Put):
                payoff = ql.PlainVanillaPayoff(kind, float(book["strike"][k]))
                option = ql.VanillaOption(payoff, ql.EuropeanExercise(rates.ql_date(expiry[k])))
                option.setPricingEngine(engines[book["underlying"][k]])
                legs.append(option.NPV())
            expected = book["quantity"][k] * (legs[0] - legs[1])
            notional = abs(book["quantity"][k]) * spot[k]
            assert abs(values[k, column] - expected) < TOLERANCE * notional, (k, expiry[k] - AS_OF)
    ql.Settings.instance().includeReferenceDateEvents = False


def test_commodity_forwards(rates: Any) -> None:
    product, random = CommodityForward(), np.random.default_rng(2)
    delivery = expiries(random)
    delivery[10:250] = AS_OF + random.integers(1, 1100, 240)
    book = {
        "underlying": ["WTI"] * TRADES,
        "currency": ["USD"] * TRADES,
        "quantity": random.normal(0.0, 1000.0, TRADES),
        "strike": random.uniform(-10.0, 120.0, TRADES),
        "delivery_date": delivery,
    }
    trades = rates.trades(product, book)
    assert product.validate(trades, AS_OF) == []
    model = MarketModel(snapshot_of(rates, ROWS), CONVENTIONS)
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x_of(rates))
    for column, seed in enumerate(SEEDS):
        levels = levels_of(ROWS, seed)
        points = [
            (tenor, levels[f"forward_price:WTI:{tenor}"]) for kind, _, tenor, _ in ROWS if kind == "forward_price"
        ]
        days, prices = (list(map(float, values)) for values in zip(*points, strict=True))
        forward = ql.LinearInterpolation(days, prices)
        curve = curve_of(rates, ROWS, "zero_rate", "USD.SOFR", seed)
        for k in range(TRADES):
            at = min(max(float(delivery[k]), days[0]), days[-1])
            expected = (
                book["quantity"][k] * (forward(at) - book["strike"][k]) * curve.discount(rates.ql_date(delivery[k]))
            )
            expected = 0.0 if delivery[k] == AS_OF else expected
            assert abs(values[k, column] - expected) < TOLERANCE * abs(book["quantity"][k]) * 60.0


INDICES = {
    "TERM": IndexConvention("TERM", "EUR.6M"),
    "LAGGED": IndexConvention("LAGGED", "EUR.6M", day_count="ACT/360", fixing_lag=2, calendar="TARGET"),
    "SOFR": IndexConvention("SOFR", "EUR.OIS", overnight=True, day_count="ACT/360", calendar="TARGET"),
}


def rate_market(rates: Any) -> Any:
    pillars = [AS_OF + days for days in (1, 30, 91, 183, 365, 730, 1826, 3652)]
    fixings = {"LAGGED": {AS_OF - 1: 0.0231, AS_OF: 0.0229}}
    return rates.Market(
        AS_OF,
        {
            ("zero_rate", "EUR.OIS"): (pillars, [-0.004, -0.003, -0.002, 0.0, 0.004, 0.008, 0.01, 0.012]),
            ("zero_rate", "EUR.6M"): (pillars, [0.021, 0.022, 0.023, 0.024, 0.024, 0.025, 0.027, 0.029]),
        },
        fixings=fixings,
    )


def fra_book(rates: Any) -> dict[str, Any]:
    random = np.random.default_rng(7)
    start = AS_OF + random.integers(-200, 1500, TRADES)
    start[:40] = AS_OF + random.integers(-1, 5, 40)
    index = random.choice(list(INDICES), TRADES)
    # QuantLib takes the length of the period by the index's day count alone.
    count = np.where(index == "TERM", random.choice(list(rates.day_counts), TRADES), "ACT/360")
    maturity = np.maximum(start + random.integers(1, 400, TRADES), AS_OF)
    maturity[:3] = start[:3] + 50 * 365
    return {
        "currency": ["EUR"] * TRADES,
        "index": index.tolist(),
        "discount_curve": random.choice(["EUR.OIS", "EUR.6M"], TRADES).tolist(),
        "notional": random.normal(0.0, 1e7, TRADES),
        "direction": random.choice(["pay", "receive"], TRADES).tolist(),
        "rate": random.normal(0.02, 0.02, TRADES),
        "start_date": start,
        "maturity_date": maturity,
        "day_count": count.tolist(),
    }


def quantlib_fra(rates: Any, market: Any, row: dict[str, Any], curves: dict[str, Any]) -> float:
    convention = INDICES[row["index"]]
    if row["start_date"] <= AS_OF:
        return 0.0
    count = rates.day_counts[convention.day_count or row["day_count"]]
    calendar = rates.calendars.get(convention.calendar, ql.WeekendsOnly())
    start, end = rates.ql_date(row["start_date"]), rates.ql_date(row["maturity_date"])
    position = ql.Position.Long if row["direction"] == "pay" else ql.Position.Short
    day = calendar.advance(calendar.adjust(start, ql.Preceding), -convention.fixing_lag, ql.Days)
    if convention.fixing_lag and calendar.isHoliday(start):
        day = calendar.advance(calendar.adjust(start, ql.Following), -convention.fixing_lag, ql.Days)
    known = market.fixings.get(row["index"], {}).get(day.serialNumber() - 25569)
    tau, discount = count.yearFraction(start, end), curves[row["discount_curve"]]
    if known is not None and not convention.overnight:
        sign = 1.0 if row["direction"] == "pay" else -1.0
        return float(
            sign * row["notional"] * (known - row["rate"]) * tau / (1 + known * tau) * discount.discount(start)
        )
    curve = curves[convention.curve]
    months, euro = ql.Period(6, ql.Months), ql.EURCurrency()
    index = ql.IborIndex("X", months, 0, euro, ql.NullCalendar(), ql.Unadjusted, False, count, curve)
    notional = abs(float(row["notional"]))
    fra = ql.ForwardRateAgreement(index, start, end, position, float(row["rate"]), notional, discount)
    return float(np.sign(row["notional"]) * fra.NPV())


def test_rate_agreements(rates: Any) -> None:
    product, book, market = ForwardRateAgreement(), fra_book(rates), rate_market(rates)
    trades = rates.trades(product, book)
    model = market.model(Conventions(indices=INDICES))
    assert product.validate(trades, AS_OF) == []
    assert product.missing_points(trades, model) == []
    shocked = market.shocked(np.random.default_rng(5))
    x = np.column_stack((market.snapshot().x0, shocked.snapshot().x0))
    values = product.prepare(trades, model).price(np.arange(TRADES, dtype=np.int32), x)
    assert (values[:, 0] != 0.0).sum() > 400
    ql.Settings.instance().evaluationDate = rates.ql_date(AS_OF)
    fixed = 0
    for column, oracle in enumerate((market, shocked)):
        curves = {name: oracle.discount(name) for _, name in oracle.curves}
        for k in range(TRADES):
            row = {name: column_[k] for name, column_ in book.items()}
            expected = quantlib_fra(rates, market, row, curves)
            assert abs(values[k, column] - expected) < TOLERANCE * abs(row["notional"]), row
            fixed += row["index"] == "LAGGED" and 0 < row["start_date"] - AS_OF < 4
    assert fixed > 4


def test_the_length_of_a_rate_agreement_by_another_day_count_than_the_index(rates: Any) -> None:
    product, market = ForwardRateAgreement(), rate_market(rates)
    book = {name: values[:1] for name, values in fra_book(rates).items()}
    book |= {
        "index": ["LAGGED"],
        "day_count": ["ACT/365F"],
        "start_date": [AS_OF + 100],
        "maturity_date": [AS_OF + 190],
    }
    book |= {"rate": [0.03], "notional": [1e6], "direction": ["pay"]}
    prepared = product.prepare(rates.trades(product, book), market.model(Conventions(indices=INDICES)))
    value = prepared.price(np.zeros(1, np.int32), market.snapshot().x0[:, None].copy())[0, 0]
    projection, discount = market.discount("EUR.6M"), market.discount(book["discount_curve"][0])
    start, end = rates.ql_date(AS_OF + 100), rates.ql_date(AS_OF + 190)
    forward = (projection.discount(start) / projection.discount(end) - 1.0) / (90 / 360)
    tau = 90 / 365
    expected = 1e6 * (forward - 0.03) * tau / (1.0 + forward * tau) * discount.discount(start)
    assert value == pytest.approx(expected, abs=1e-4)


def test_payments_and_fixings_of_rate_agreements(rates: Any) -> None:
    """The same fixing and amount, on another day; QuantLib's calendars."""
    product, market, random = ForwardRateAgreement(), rate_market(rates), np.random.default_rng(9)
    book = fra_book(rates) | {"index": ["LAGGED"] * TRADES, "day_count": ["ACT/360"] * TRADES}
    choose = rates.chooser(random, TRADES)
    book["start_date"] = np.maximum(book["start_date"], AS_OF + 8)
    book["maturity_date"] = book["start_date"] + random.integers(20, 400, TRADES)
    calendars, conventions = choose(["TARGET", "USNY", "GBLO"]), choose(["following", "preceding", ""])
    lags = random.integers(0, 4, TRADES)
    dated = {"payment_calendar": calendars, "payment_convention": [name or None for name in conventions]}
    dated |= {"payment_lag": [float(lag) or None for lag in lags]}
    model, x = market.model(Conventions(indices=INDICES)), market.snapshot().x0[:, None].copy()
    rows = np.arange(TRADES, dtype=np.int32)
    trades = rates.trades(product, book | dated)
    assert product.validate(trades, AS_OF) == []
    found = product.prepare(trades, model).price(rows, x)[:, 0]
    plain = product.prepare(rates.trades(product, book), model).price(rows, x)[:, 0]
    for k, (name, rule, lag) in enumerate(zip(calendars, conventions, lags.tolist(), strict=True)):
        due, curve = rates.ql_date(book["start_date"][k]), market.discount(book["discount_curve"][k])
        paid = rates.calendars[name].adjust(due, rates.conventions[rule or "following"])
        paid = rates.calendars[name].advance(due, lag, ql.Days) if lag else paid
        expected = plain[k] * curve.discount(paid) / curve.discount(due)
        assert abs(found[k] - expected) < TOLERANCE * abs(book["notional"][k])


def test_a_rate_agreement_lives_until_it_is_paid(rates: Any) -> None:
    """Its period began on Wednesday at the rate fixed for it by the calendar that it names."""
    product, market = ForwardRateAgreement(), rate_market(rates)
    start, paid = AS_OF - 2, AS_OF + 3  # three business days later
    market.fixings["LAGGED"] = {start - 2: 0.031}
    book = {"currency": "EUR", "index": "LAGGED", "discount_curve": "EUR.OIS", "notional": 1e6, "direction": "pay"}
    book |= {"rate": 0.03, "start_date": start, "maturity_date": start + 90, "day_count": "ACT/360"}
    book |= {"payment_calendar": "TARGET", "payment_lag": 3.0, "fixing_calendar": "TARGET"}
    model = market.model(Conventions(indices=INDICES))
    trades = rates.trades(product, {name: [value] for name, value in book.items()})
    assert product.validate(trades, AS_OF) == []
    assert product.missing_points(trades, model) == []
    value = product.prepare(trades, model).price(np.zeros(1, np.int32), market.snapshot().x0[:, None])[0, 0]
    expected = 1e6 * 0.001 * 0.25 / (1.0 + 0.031 * 0.25) * market.discount("EUR.OIS").discount(rates.ql_date(paid))
    assert abs(value - expected) < 1e-7
    overnight = rates.trades(product, {name: [value] for name, value in (book | {"index": "SOFR"}).items()})
    (fault,) = product.missing_points(overnight, model)
    assert fault.message.startswith("payment_lag is of term rates")


def test_a_rate_agreement_lacks_its_fixing(rates: Any) -> None:
    product, market = ForwardRateAgreement(), rate_market(rates)
    market.fixings = {"LAGGED": {AS_OF - 30: 0.02}}
    book = {name: values[:2] for name, values in fra_book(rates).items()}
    book |= {"index": ["LAGGED", "SOFR"], "start_date": [AS_OF + 4] * 2, "maturity_date": [AS_OF + 90] * 2}
    conventions = Conventions(indices=INDICES)
    # It fixes today, and today's fixing may still come; once settled, none is needed.
    assert product.missing_points(rates.trades(product, book), market.model(conventions)) == []
    book["start_date"] = [AS_OF - 1] * 2
    assert product.missing_points(rates.trades(product, book), market.model(conventions)) == []
    book["start_date"] = [AS_OF + 3] * 2
    (fault,) = product.missing_points(rates.trades(product, book), market.model(conventions))
    assert fault.reason is Reason.MISSING_MARKET_DATA
    assert fault.rows.tolist() == [0]
    assert "fixing:LAGGED:2026-11-19" in fault.message
