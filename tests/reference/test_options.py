"""FX forwards and European options against QuantLib: 1e-12 relative to spot, base and shocked markets."""

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.commodity_option import CommodityOption
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.fx_option import FxOption
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical, check_rows

TODAY = date(2026, 11, 20)
AS_OF = (TODAY - date(1970, 1, 1)).days
TRADES = 600
TOLERANCE = 1e-12
SPOTS = {"EURUSD": 1.08, "GBPUSD": 1.27, "USDJPY": 151.0, "SPX": 5900.0, "SAP": 190.0, "FLAT": 50.0}
CURVES = {
    "USD.OIS": [0.045, 0.043, 0.04, 0.037, 0.036, 0.038],
    "EUR.OIS": [0.031, 0.029, 0.025, 0.0, 0.024, 0.026],
    "GBP.SONIA": [0.047, 0.046, 0.043, 0.04, 0.039, 0.041],
    "JPY.OIS": [-0.001, 0.0, 0.0, 0.002, 0.006, 0.011],
    "CHF.OIS": [0.0] * 6,
}
PILLARS = [7, 91, 365, 730, 1826, 3652]
YIELDS = {"SPX": [0.012, 0.013, 0.014, 0.014, 0.015, 0.015]}
FORWARDS = {"WTI": ([30, 120, 400, 900], [71.0, 70.0, 68.5, 66.0])}
FORWARDS["OIL"] = ([2, 120, 400, 900], [-37.63, -5.0, 0.0, 20.0])  # its front contract closed there on 20 April 2020
MONEYNESS, ABSOLUTE = [0.7, 0.9, 1.0, 1.1, 1.4], [50.0, 65.0, 70.0, 80.0, 110.0]
SURFACES = {
    ("fx_vol", "EURUSD"): ("moneyness", MONEYNESS, 0.08),
    ("fx_vol", "GBPJPY"): ("moneyness", MONEYNESS, 0.11),
    ("black_vol", "USDJPY"): ("absolute", [120.0, 140.0, 150.0, 160.0, 190.0], 0.1),
    ("black_vol", "SPX"): ("moneyness", MONEYNESS, 0.18),
    ("black_vol", "SAP"): ("atm", [None], 0.27),
    ("black_vol", "FLAT"): ("atm", [None], 0.4),
    ("black_vol", "WTI"): ("absolute", ABSOLUTE, 0.35),
    ("normal_vol", "OIL"): ("absolute", [-60.0, -20.0, 0.0, 20.0, 60.0], 30.0),
}
EXPIRIES = [14, 90, 270, 720, 1800]
CONVENTIONS = Conventions(discount_curves={"GBP": "GBP.SONIA"})


def iso(days):
    return (TODAY + timedelta(days=int(days))).isoformat()


def market_table():
    rows = []

    def add(kind, name, value, tenor=None, strike=None, strike_type=None):
        factor = ":".join(str(part) for part in (kind, name, tenor, strike) if part is not None)
        rows.append(
            {"factor": factor, "kind": kind, "name": name, "tenor": tenor, "strike": strike,
             "strike_type": strike_type, "value": value}
        )  # fmt: skip

    for name, value in SPOTS.items():
        add("spot", name, value)
    for kind, curves in (("zero_rate", CURVES), ("dividend_yield", YIELDS)):
        for name, values in curves.items():
            for days, value in zip(PILLARS, values, strict=True):
                add(kind, name, value, iso(days))
    for name, (days, values) in FORWARDS.items():
        for day, value in zip(days, values, strict=True):
            add("forward_price", name, value, iso(day))
    random = np.random.default_rng(1)
    for (kind, name), (strike_type, strikes, level) in SURFACES.items():
        for days in EXPIRIES:
            for strike in strikes:
                add(kind, name, level * random.uniform(0.85, 1.2), iso(days), strike, strike_type)
    table = pa.Table.from_pylist(rows)
    return table.set_column(table.schema.get_field_index("strike"), "strike", table.column("strike").cast(pa.float64()))


SNAPSHOT = MarketSnapshot.from_table(market_table(), AS_OF)
MODEL = MarketModel(SNAPSHOT, CONVENTIONS)
FACTORS = {name: k for k, name in enumerate(SNAPSHOT.factors.column("factor").to_pylist())}


def shocked_levels():
    """Base, everything moved up a little at random, everything moved a lot."""
    random = np.random.default_rng(7)
    x = np.repeat(SNAPSHOT.x0[:, None], 3, axis=1)
    rates = np.array([f.startswith(("zero_rate", "dividend_yield")) for f in FACTORS])
    for scenario, size in ((1, 0.02), (2, 0.3)):
        moves = random.normal(0.0, size, len(x))
        x[:, scenario] = np.where(rates, x[:, scenario] + moves / 50.0, x[:, scenario] * np.exp(moves))
    return x


LEVELS = shocked_levels()


class Oracle:
    """One scenario's market in QuantLib; volatilities interpolated here, by hand."""

    def __init__(self, x):
        self.x = x
        self.today = ql.Date(TODAY.day, TODAY.month, TODAY.year)
        ql.Settings.instance().evaluationDate = self.today
        self.curves = {}

    def level(self, factor):
        return float(self.x[FACTORS[factor]])

    def curve(self, kind, name):
        if (kind, name) not in self.curves:
            zero = [self.level(f"{kind}:{name}:{iso(days)}") for days in PILLARS]
            # Log-linear between pillars; a far pillar at the last rate makes QuantLib flat in it, as we are.
            days, zero = [*PILLARS, 20000], [*zero, zero[-1]]
            discounts = [math.exp(-z * d / 365.0) for z, d in zip(zero, days, strict=True)]
            dates = [self.today + d for d in days]
            self.curves[kind, name] = ql.DiscountCurve([self.today, *dates], [1.0, *discounts], ql.Actual365Fixed())
        return self.curves[kind, name]

    def discount(self, currency, days):
        return self.curve("zero_rate", CONVENTIONS.discount_curve(currency)).discount(self.today + int(days))

    def fx(self, base, quote):
        if base == quote:
            return 1.0
        if f"spot:{base}{quote}" in FACTORS:
            return self.level(f"spot:{base}{quote}")
        if f"spot:{quote}{base}" in FACTORS:
            return 1.0 / self.level(f"spot:{quote}{base}")
        return self.fx(base, "USD") * self.fx("USD", quote)

    def fx_forward(self, base, quote, days):
        return self.fx(base, quote) * self.discount(base, days) / self.discount(quote, days)

    def forward_price(self, name, days):
        pillars, _ = FORWARDS[name]
        return float(np.interp(days, pillars, [self.level(f"forward_price:{name}:{iso(d)}") for d in pillars]))

    def deviation(self, kind, name, days, strike, base_forward):
        """sqrt(total variance): linear in strike in volatility, linear in time in variance, flat beyond."""
        strike_type, strikes, _ = SURFACES[kind, name]
        vols = []
        for expiry in EXPIRIES:
            parts = [[k] if k is not None else [] for k in strikes]
            points = [self.level(":".join(map(str, (kind, name, iso(expiry), *part)))) for part in parts]
            key = {"moneyness": strike / base_forward, "absolute": strike, "atm": 0.0}[strike_type]
            vols.append(points[0] if strike_type == "atm" else float(np.interp(key, strikes, points)))
        times = np.array(EXPIRIES) / 365.0
        t = days / 365.0
        if t <= times[0]:
            return vols[0] * math.sqrt(t)
        if t >= times[-1]:
            return vols[-1] * math.sqrt(t)
        return math.sqrt(float(np.interp(t, times, np.square(vols) * times)))


BASE = Oracle(SNAPSHOT.x0)


@dataclass
class Book:
    """Trades as columns, with days from today in place of dates."""

    columns: dict
    expiry: np.ndarray
    delivery: np.ndarray


def random_days(random):
    """Mostly up to twelve years, with today, tomorrow and this week well represented."""
    days = random.integers(1, 4400, TRADES)
    days[:20], days[20:50], days[50:80] = 0, random.integers(1, 4, 30), random.integers(3, 20, 30)
    days[80:90] = 18_250  # fifty years
    return days


def random_strikes(random, forward, expiry):
    """From at the money to twelve deviations away, either side."""
    width = random.choice([0.0, 1e-8, 0.3, 1.0, 4.0, 12.0], TRADES) * 0.2 * np.sqrt((expiry + 1) / 365.0)
    return forward * np.exp(np.clip(random.normal(0.0, 1.0, TRADES) * width, -5.0, 5.0))


def book(random, forward_of, extra, delivery=None):
    expiry = random_days(random)
    delivery = expiry if delivery is None else expiry + random.integers(0, delivery, TRADES)
    forward = np.array([forward_of(BASE, k, delivery[k]) for k in range(TRADES)])
    dates = {"expiry_date": expiry, "delivery_date": delivery}
    columns = {
        "trade_id": [f"T{k}" for k in range(TRADES)],
        "book": ["test"] * TRADES,
        "option_type": random.choice(["call", "put"], TRADES).tolist(),
        "strike": random_strikes(random, forward, expiry),
        **{name: pa.array(AS_OF + days, pa.int32()).cast(pa.date32()) for name, days in dates.items()},
        **extra,
    }
    return Book(columns, expiry, delivery)


def price(product, columns):
    table = canonical(pa.table(columns), product)
    trades = Trades(table)
    assert check_rows(trades, product) == []
    assert product.validate(trades, AS_OF) == []
    for need in product.requirements(trades, CONVENTIONS):
        for code in np.unique(need.labels.codes[need.labels.codes >= 0]):
            assert need.optional or MODEL.resolve(need.kinds, need.labels.names[code]) is not None
    rows = np.arange(len(trades), dtype=np.int32)
    return product.prepare(trades, MODEL).price(rows, LEVELS)


def option(kind):
    return ql.Option.Call if kind == "call" else ql.Option.Put


def assert_close(values, expected, scale):
    """Error within TOLERANCE of the scale (quantity times spot), in every scenario."""
    error = np.abs(values - expected) / np.abs(scale)[:, None]
    assert np.max(error) < TOLERANCE, np.unravel_index(np.argmax(error), error.shape)


def per_scenario(value):
    oracles = [Oracle(LEVELS[:, s]) for s in range(LEVELS.shape[1])]
    return np.array([[value(oracle, k) for oracle in oracles] for k in range(TRADES)])


def test_fx_forwards():
    random = np.random.default_rng(11)
    codes = ["EUR", "USD", "JPY", "GBP"]
    buy = random.integers(0, 4, TRADES)
    sell = (buy + random.integers(1, 4, TRADES)) % 4
    days = random_days(random)
    columns = {
        "trade_id": [f"T{k}" for k in range(TRADES)],
        "book": ["test"] * TRADES,
        "buy_currency": [codes[k] for k in buy],
        "buy_amount": random.uniform(1e3, 1e7, TRADES),
        "sell_currency": [codes[k] for k in sell],
        "sell_amount": random.uniform(1e3, 1e7, TRADES),
        "delivery_date": pa.array(AS_OF + days, pa.int32()).cast(pa.date32()),
    }

    def value(oracle, k):
        base, quote, day = codes[buy[k]], codes[sell[k]], days[k]
        if day == 0:
            return 0.0
        received = columns["buy_amount"][k] * oracle.fx(base, quote) * oracle.discount(base, day)
        return received - columns["sell_amount"][k] * oracle.discount(quote, day)

    gross = [columns["buy_amount"][k] * BASE.fx(codes[buy[k]], codes[sell[k]]) for k in range(TRADES)]
    expected = per_scenario(value)
    assert_close(price(FxForward(), columns), expected, np.array(gross) + columns["sell_amount"])
    assert np.count_nonzero(expected[:, 0] == 0.0) == 20


def test_fx_options():
    random = np.random.default_rng(12)
    pairs = random.choice(["EURUSD", "USDJPY", "GBPJPY"], TRADES)
    kinds = {"USDJPY": "black_vol"}
    notional = random.normal(0.0, 1e6, TRADES)

    def forward(oracle, k, days):
        return oracle.fx_forward(pairs[k][:3], pairs[k][3:], days)

    trades = book(random, forward, {"pair": pairs.tolist(), "notional": notional}, delivery=8)

    def value(oracle, k):
        pair, strike = pairs[k], trades.columns["strike"][k]
        kind = kinds.get(pair, "fx_vol")
        days, delivery = trades.expiry[k], trades.delivery[k]
        deviation = oracle.deviation(kind, pair, days, strike, forward(BASE, k, delivery))
        discount = oracle.discount(pair[3:], delivery)
        type_ = option(trades.columns["option_type"][k])
        if days != delivery or days == 0:
            return notional[k] * ql.blackFormula(type_, strike, forward(oracle, k, delivery), deviation, discount)
        return notional[k] * garman_kohlhagen(oracle, pair, type_, strike, days, deviation)

    scale = notional * [BASE.fx(pair[:3], pair[3:]) for pair in pairs]
    assert_close(price(FxOption(), trades.columns), per_scenario(value), scale)


def garman_kohlhagen(oracle, pair, type_, strike, days, deviation):
    foreign = oracle.curve("zero_rate", CONVENTIONS.discount_curve(pair[:3]))
    domestic = oracle.curve("zero_rate", CONVENTIONS.discount_curve(pair[3:]))
    return european(oracle, oracle.fx(pair[:3], pair[3:]), foreign, domestic, type_, strike, days, deviation)


def european(oracle, spot, dividends, rates, type_, strike, days, deviation):
    """AnalyticEuropeanEngine with the volatility that gives the deviation."""
    volatility = ql.BlackConstantVol(
        oracle.today, ql.NullCalendar(), deviation / math.sqrt(days / 365.0), ql.Actual365Fixed()
    )
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(dividends),
        ql.YieldTermStructureHandle(rates),
        ql.BlackVolTermStructureHandle(volatility),
    )
    instrument = ql.VanillaOption(ql.PlainVanillaPayoff(type_, strike), ql.EuropeanExercise(oracle.today + int(days)))
    instrument.setPricingEngine(ql.AnalyticEuropeanEngine(process))
    return instrument.NPV()


def test_equity_options():
    random = np.random.default_rng(13)
    names = random.choice(["SPX", "SAP", "FLAT"], TRADES)
    # FLAT is in francs: a zero-rate curve and no dividends, so that its forward is its spot.
    currency = {"SPX": "USD", "SAP": "EUR", "FLAT": "CHF"}
    quantity = random.normal(0.0, 1000.0, TRADES)

    def dividends(oracle, name):
        if name in YIELDS:
            return oracle.curve("dividend_yield", name)
        return ql.FlatForward(oracle.today, 0.0, ql.Actual365Fixed())

    def forward(oracle, k, days):
        grow = oracle.discount(currency[names[k]], days)
        decay = dividends(oracle, names[k]).discount(oracle.today + int(days))
        return oracle.level(f"spot:{names[k]}") * decay / grow

    extra = {
        "underlying": names.tolist(),
        "currency": [currency[name] for name in names],
        "quantity": quantity,
        "exercise": ["european"] * TRADES,
    }
    trades = book(random, forward, extra)

    def value(oracle, k):
        name, strike, days = names[k], trades.columns["strike"][k], trades.expiry[k]
        spot, type_ = oracle.level(f"spot:{name}"), option(trades.columns["option_type"][k])
        if days == 0:
            return quantity[k] * ql.PlainVanillaPayoff(type_, strike)(spot)
        deviation = oracle.deviation("black_vol", name, days, strike, forward(BASE, k, days))
        rates = oracle.curve("zero_rate", f"{currency[name]}.OIS")
        return quantity[k] * european(oracle, spot, dividends(oracle, name), rates, type_, strike, days, deviation)

    scale = quantity * [SPOTS[name] for name in names]
    assert_close(price(EquityOption(), trades.columns), per_scenario(value), scale)


def test_commodity_options():
    random = np.random.default_rng(14)
    quantity = random.normal(0.0, 1000.0, TRADES)

    def forward(oracle, k, days):
        return oracle.forward_price("WTI", days)

    extra = {"underlying": ["WTI"] * TRADES, "currency": ["USD"] * TRADES, "quantity": quantity}
    trades = book(random, forward, extra, delivery=60)

    def value(oracle, k):
        strike, days = trades.columns["strike"][k], trades.expiry[k]
        deviation = oracle.deviation("black_vol", "WTI", days, strike, 1.0)
        level, discount = forward(oracle, k, trades.delivery[k]), oracle.discount("USD", days)
        type_ = option(trades.columns["option_type"][k])
        return quantity[k] * ql.blackFormula(type_, strike, level, deviation, discount)

    assert_close(price(CommodityOption(), trades.columns), per_scenario(value), quantity * 70.0)


def test_commodity_options_on_negative_prices():
    """Bachelier (1900): forwards and strikes on either side of zero, beside options of the model black."""
    random = np.random.default_rng(15)
    quantity = random.normal(0.0, 1000.0, TRADES)
    normal = random.random(TRADES) < 0.7
    names = np.where(normal, "OIL", "WTI")

    def forward(oracle, k, days):
        return oracle.forward_price(names[k], days)

    extra = {"underlying": names.tolist(), "currency": ["USD"] * TRADES, "quantity": quantity}
    extra["model"] = [("bachelier" if mine else (None, "black")[k % 2]) for k, mine in enumerate(normal)]
    trades = book(random, forward, extra, delivery=60)
    strikes = trades.columns["strike"]
    strikes[normal] = random.normal(0.0, 40.0, TRADES)[normal]
    strikes[:40:2] = np.where(normal[:40:2], -37.63, strikes[:40:2])

    def value(oracle, k):
        strike, days = strikes[k], trades.expiry[k]
        level, discount = forward(oracle, k, trades.delivery[k]), oracle.discount("USD", days)
        kind, formula = ("normal_vol", ql.bachelierBlackFormula) if normal[k] else ("black_vol", ql.blackFormula)
        deviation = oracle.deviation(kind, names[k], days, strike, 1.0)
        return quantity[k] * formula(option(trades.columns["option_type"][k]), strike, level, deviation, discount)

    expected = per_scenario(value)
    assert (np.array([forward(BASE, k, trades.delivery[k]) for k in range(TRADES)]) < 0.0).sum() > 50
    assert_close(price(CommodityOption(), trades.columns), expected, quantity * 70.0)
