"""Variance swaps against adaptive quadrature over smiles, QuantLib's replication, and identities."""

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, DAY_COUNT, TODAY, FlatMarket, make_trades
from scipy.integrate import quad
from scipy.special import ndtr

from riskpipe.market.conventions import Conventions, SurfaceConvention
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.variance_swap import VarianceSwap

TRADES = 500
NAMES = 8
RATE, DIVIDEND = 0.03, 0.01
EXPIRIES = [60, 400, 1500]
MONEYNESS = [0.6, 0.8, 0.9, 1.0, 1.1, 1.3, 1.7]


def smiles():
    """(names, expiries, strikes): higher vols for lower strikes, and total variances that grow."""
    random = np.random.default_rng(71)
    level, skew = random.uniform(0.12, 0.35, NAMES), random.uniform(0.0, 0.25, NAMES)
    out = np.empty((NAMES, len(EXPIRIES), len(MONEYNESS)))
    for j, days in enumerate(EXPIRIES):
        slope = skew[:, None] / (1.0 + days / 200.0)
        out[:, j] = level[:, None] * (
            1.0 + slope * (1.0 - np.array(MONEYNESS)) + 0.1 * slope * random.random((NAMES, 7))
        )
    return out


SMILES = smiles()


def snapshot():
    rows = [("zero_rate", "USD.OIS", "10Y", None, None, RATE)]
    for k in range(NAMES):
        rows += [("spot", f"E{k}", None, None, None, 100.0), ("dividend_yield", f"E{k}", "10Y", None, None, DIVIDEND)]
        for j, days in enumerate(EXPIRIES):
            tenor = np.datetime64(AS_OF + days, "D").astype(str)
            rows += [
                ("black_vol", f"E{k}", tenor, 100.0 * m, "absolute", SMILES[k, j, i]) for i, m in enumerate(MONEYNESS)
            ]
    kind, name, tenor, strike, strike_type, value = zip(*rows, strict=True)
    table = pa.table(
        {
            "factor": [":".join(str(p) for p in row[:4] if p is not None) for row in rows],
            "kind": kind, "name": name, "tenor": pa.array(tenor, pa.string()),
            "strike": pa.array(strike, pa.float64()), "strike_type": pa.array(strike_type, pa.string()), "value": value,
        }
    )  # fmt: skip
    return MarketSnapshot.from_table(table, AS_OF)


SNAPSHOT = snapshot()
SPOTS = [100.0, 101.5, 35.0]


def levels():
    """Today, and the spots at other levels with all vols a tenth up."""
    x = np.repeat(SNAPSHOT.x0[:, None], 3, axis=1)
    factors = SNAPSHOT.factors.column("factor").to_pylist()
    for row, name in enumerate(factors):
        if name.startswith("spot"):
            x[row] = SPOTS
        elif name.startswith("black_vol"):
            x[row, 1:] *= 1.1
    return x


def variance_at(k, days, strike, scale):
    """Total variance by hand: linear in strike in vol, linear in time in variance, flat vol beyond."""
    vols = [scale * np.interp(strike, 100.0 * np.array(MONEYNESS), SMILES[k, j]) for j in range(len(EXPIRIES))]
    totals = [v * v * d / 365.0 for v, d in zip(vols, EXPIRIES, strict=True)]
    if days <= EXPIRIES[0]:
        return vols[0] ** 2 * days / 365.0
    if days >= EXPIRIES[-1]:
        return vols[-1] ** 2 * days / 365.0
    return float(np.interp(days, EXPIRIES, totals))


def black(forward, strike, variance, sign):
    d1 = math.log(forward / strike) / math.sqrt(variance) + 0.5 * math.sqrt(variance)
    return sign * (forward * ndtr(sign * d1) - strike * ndtr(sign * (d1 - math.sqrt(variance))))


def fair_variance(k, days, spot, scale):
    """Total; puts below and calls above the forward, between kinks of the smile."""
    forward = spot * math.exp((RATE - DIVIDEND) * days / 365.0)
    reach = 12.0 * math.sqrt(variance_at(k, days, forward, scale)) + 0.3
    ends = [forward * math.exp(-reach), forward * math.exp(reach)]
    breaks = sorted({*ends, forward, *(100.0 * m for m in MONEYNESS if ends[0] < 100.0 * m < ends[1])})
    breaks = sorted({*breaks, *(forward * math.exp(z * reach / 8) for z in range(-7, 8))})
    total = 0.0
    for low, high in pairwise(breaks):
        sign = 1.0 if low >= forward else -1.0

        def integrand(u, sign=sign):
            return black(forward, math.exp(u), variance_at(k, days, math.exp(u), scale), sign) / math.exp(u)

        total += quad(integrand, math.log(low), math.log(high), epsabs=1e-13, epsrel=1e-11)[0]
    return 2.0 * total


def test_replication_over_smiles():
    """Fresh, seasoned and forward starting; fair variances to 1e-8, shocked ones too."""
    random = np.random.default_rng(72)
    which = random.integers(0, NAMES, TRADES)
    days = random.choice([1, 5, 20, 60, 90, 180, 365, 700, 1400, 1800, 18_250], TRADES)
    start = AS_OF + np.where(random.random(TRADES) < 0.5, -random.integers(1, 400, TRADES), 0)
    later = random.random(TRADES) < 0.15
    start = np.where(later & (days >= 180), AS_OF + 90, start)
    columns = {
        "underlying": [f"E{k}" for k in which],
        "currency": ["USD"] * TRADES,
        "vega_notional": random.normal(0.0, 1e4, TRADES),
        "strike_vol": random.uniform(0.1, 0.4, TRADES),
        "start_date": start,
        "expiry_date": AS_OF + days,
        "realised_variance": random.uniform(0.01, 0.1, TRADES),
    }
    product = VarianceSwap()
    trades = make_trades(product, columns)
    assert product.validate(trades, AS_OF) == []
    prepared = product.prepare(trades, MarketModel(SNAPSHOT, Conventions()))
    values = prepared.price(np.arange(TRADES, dtype=np.int32), levels())

    known = {}
    for k in range(TRADES):
        for s in range(3):
            scale = 1.0 if s == 0 else 1.1
            for end in {days[k], 90}:
                key = (which[k], end, s)
                if key not in known:
                    known[key] = fair_variance(which[k], int(end), SPOTS[s], scale)
            left = known[which[k], days[k], s] - (known[which[k], 90, s] if start[k] > AS_OF else 0.0)
            past = max(AS_OF - start[k], 0) / 365.0 * columns["realised_variance"][k]
            years, strike = (AS_OF + days[k] - start[k]) / 365.0, columns["strike_vol"][k]
            notional = 100.0 * columns["vega_notional"][k] / (2.0 * strike)
            expected = math.exp(-RATE * days[k] / 365.0) * notional * ((past + left) / years - strike**2)
            assert abs(values[k, s] - expected) < 1e-8 * abs(notional), (k, s)


WILD = [0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.4, 1.8]
FORWARD = 100.0
DAYS = [1, 20, 60, 400]
BUMP = 0.1
BUMPED = [FORWARD, FORWARD + BUMP, FORWARD - BUMP, 40.0, 300.0]
AXES = {
    "absolute": lambda m: 100.0 * m, "moneyness": lambda m: m, "offset": lambda m: 100.0 * m - 100.0,
}  # fmt: skip


@pytest.mark.parametrize(("strike_type", "interpolation"), [
    ("absolute", "linear"), ("moneyness", "linear"), ("offset", "linear"), ("moneyness", "linear_log_strike"),
])  # fmt: skip
def test_random_smiles_and_their_gammas(strike_type, interpolation):
    """Volatilities at random from strike to strike: panels end at the kinks, and the ends are flat to infinity.

    A strip that took no notice of them was up to 0.2 vol points off, its gammas up to 21 %, and the values at spots of
    40 and 300 up to 28 points.
    """
    vols = np.random.default_rng(3).uniform(0.12, 0.5, (2, len(WILD)))
    vols[1] = np.sqrt((vols[0] ** 2 + vols[1] ** 2) / 2.0)
    expiries = [30, 300]
    rows = [("zero_rate", "USD.OIS", "10Y", None, None, 0.0), ("spot", "X", None, None, None, FORWARD)]
    for days, smile in zip(expiries, vols, strict=True):
        tenor = np.datetime64(AS_OF + days, "D").astype(str)
        places = [AXES[strike_type](m) for m in WILD]
        rows += [("black_vol", "X", tenor, k, strike_type, v) for k, v in zip(places, smile, strict=True)]
    kind, name, tenor, strike, types, value = zip(*rows, strict=True)
    table = pa.table(
        {
            "factor": [":".join(str(p) for p in row[:4] if p is not None) for row in rows], "kind": kind, "name": name,
            "tenor": pa.array(tenor, pa.string()), "strike": pa.array(strike, pa.float64()),
            "strike_type": pa.array(types, pa.string()), "value": value,
        }
    )  # fmt: skip
    market = MarketSnapshot.from_table(table, AS_OF)
    surfaces = {"X": SurfaceConvention(strike_interpolation=interpolation)}
    n = len(DAYS)
    terms = {name: column * n for name, column in one(underlying="X", currency="USD").items()}
    terms["expiry_date"] = AS_OF + np.array(DAYS)
    x = np.repeat(market.x0[:, None], len(BUMPED), axis=1)
    x[market.factors.column("kind").to_pylist().index("spot")] = BUMPED
    prepared = VarianceSwap().prepare(
        make_trades(VarianceSwap(), terms), MarketModel(market, Conventions(surfaces=surfaces))
    )
    fair = prepared.price(np.arange(n, dtype=np.int32), x) / (100_000.0 / 0.4) + 0.04

    logarithmic = interpolation == "linear_log_strike"

    def variance(days, strikes):
        axis, at = (
            (np.log(np.array(WILD) * 100.0), np.log(strikes)) if logarithmic else (np.array(WILD) * 100.0, strikes)
        )
        near, far = (np.interp(at, axis, smile) ** 2 * d / 365.0 for smile, d in zip(vols, expiries, strict=True))
        if not expiries[0] < days < expiries[1]:
            k = int(days >= expiries[1])
            return (near, far)[k] * days / expiries[k]
        return near + (far - near) * (days - expiries[0]) / (expiries[1] - expiries[0])

    expected = np.array([[_by_panels(variance, d, f) / (d / 365.0) for f in BUMPED] for d in DAYS])
    np.testing.assert_allclose(fair, expected, rtol=0.0, atol=1e-8)
    gamma, due = ((v[:, 1] - 2.0 * v[:, 0] + v[:, 2]) / BUMP**2 for v in (fair, expected))
    np.testing.assert_allclose(gamma, due, rtol=1e-4)


def _by_panels(variance, days, forward):
    """Total, by sixteen points in quarters of a deviation about the forward that end at every strike of the smile."""
    deviation = math.sqrt(variance(days, np.array([forward]))[0])
    low, high = (math.log(forward) + side * (25.0 * deviation + 1.5) for side in (-1.0, 1.0))
    kinks = [math.log(100.0 * m) for m in WILD if low < math.log(100.0 * m) < high]
    edges = np.unique([low, high, math.log(forward), *kinks, *np.arange(low, high, max(0.25 * deviation, 0.002))])
    points, share = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(edges)[:, None]
    strikes = np.exp(edges[:-1, None] + half * (1.0 + points))
    root = np.sqrt(variance(days, strikes.ravel()).reshape(strikes.shape))
    d1 = np.log(forward / strikes) / root + 0.5 * root
    sign = np.where(strikes >= forward, 1.0, -1.0)
    options = sign * (forward * ndtr(sign * d1) - strikes * ndtr(sign * (d1 - root)))
    return 2.0 * float(np.sum(options / strikes * share * half))


def one(**more):
    columns = {
        "underlying": "E0", "currency": "CAA", "vega_notional": 1000.0, "strike_vol": 0.2, "start_date": AS_OF,
        "expiry_date": AS_OF + 365, **more,
    }  # fmt: skip
    return {name: [value] for name, value in columns.items()}


def test_a_flat_smile_replicates_its_variance():
    """Whatever the scenario, even far beyond the strip."""
    spot = np.array([[100.0, 20.0, 101.0, 500.0]] * 2)
    vol = np.array([[0.25, 0.6, 0.2, 0.0]] * 2)
    market = FlatMarket(spot, np.full((2, 4), 0.04), np.full((2, 4), 0.01), vol)
    values = market.price(VarianceSwap(), one())[0]
    np.testing.assert_allclose(values, math.exp(-0.04) * 100_000.0 / 0.4 * (vol[0] ** 2 - 0.04), rtol=1e-12, atol=1e-9)


def test_on_the_last_day_what_was_realised_is_paid():
    market = FlatMarket(*(np.full((2, 1), level) for level in (100.0, 0.04, 0.0, 0.3)))
    terms = one(start_date=AS_OF - 365, expiry_date=AS_OF, realised_variance=0.09)
    assert market.price(VarianceSwap(), terms)[0, 0] == pytest.approx(100_000.0 / 0.4 * 0.05, rel=1e-13)


def test_quantlib_replicates_the_same():
    """The example of Demeterfi et al. (1999), section II: 20 % at the money, a point more for every five lower."""
    ql.Settings.instance().evaluationDate = TODAY
    strikes, days = np.arange(30.0, 200.0, 1.0), 91
    vols = 0.20 - (strikes - 100.0) / 5.0 * 0.01
    vols = np.maximum(vols, 0.02)
    matrix = ql.Matrix(len(strikes), 2)
    for i, v in enumerate(vols):
        matrix[i][0] = matrix[i][1] = float(v)
    dates = [TODAY + days, TODAY + 2 * days]
    surface = ql.BlackVarianceSurface(TODAY, ql.NullCalendar(), dates, strikes.tolist(), matrix, DAY_COUNT)
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(100.0)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, 0.0, DAY_COUNT)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, 0.05, DAY_COUNT)),
        ql.BlackVolTermStructureHandle(surface),
    )
    swap = ql.VarianceSwap(ql.Position.Long, 0.04, 1.0, TODAY, TODAY + days)
    calls, puts = np.arange(100.0, 190.0, 0.25).tolist(), np.arange(100.0, 35.0, -0.25).tolist()
    swap.setPricingEngine(ql.ReplicatingVarianceSwapEngine(process, 0.25, calls, puts))

    rows = [("zero_rate", "USD.OIS", "10Y", None, None, 0.05), ("spot", "X", None, None, None, 100.0)]
    rows += [
        ("black_vol", "X", "2027-02-19", float(k), "absolute", float(v)) for k, v in zip(strikes, vols, strict=True)
    ]
    kind, name, tenor, strike, strike_type, value = zip(*rows, strict=True)
    table = pa.table(
        {
            "factor": [":".join(str(p) for p in row[:4] if p is not None) for row in rows],
            "kind": kind, "name": name, "tenor": pa.array(tenor, pa.string()),
            "strike": pa.array(strike, pa.float64()), "strike_type": pa.array(strike_type, pa.string()), "value": value,
        }
    )  # fmt: skip
    market = MarketSnapshot.from_table(table, AS_OF)
    trades = make_trades(VarianceSwap(), one(underlying="X", currency="USD", expiry_date=AS_OF + days))
    prepared = VarianceSwap().prepare(trades, MarketModel(market, Conventions()))
    present = prepared.price(np.zeros(1, np.int32), np.ascontiguousarray(market.x0[:, None]))[0, 0]
    variance = present * math.exp(0.05 * days / 365.0) / (100_000.0 / 0.4) + 0.04

    assert abs(variance - swap.variance()) < 1e-5
    # Their approximation for a skew that is linear in strike: the variance at the forward times 1 + 3 T b^2.
    forward = 100.0 * math.exp(0.05 * days / 365.0)
    at_forward, slope = 0.20 - (forward - 100.0) / 500.0, forward / 500.0
    assert abs(variance - at_forward**2 * (1.0 + 3.0 * days / 365.0 * slope**2)) < 3e-5


def test_negative_forward_variance_has_no_price():
    """Variance that falls from the start to the expiry: not a number, which fails the trade."""
    product = VarianceSwap()
    columns = one(currency="USD", start_date=AS_OF + 60, expiry_date=AS_OF + 400)
    prepared = product.prepare(make_trades(product, columns), MarketModel(SNAPSHOT, Conventions()))
    x = SNAPSHOT.x0[:, None].copy()
    names = SNAPSHOT.factors.column("factor").to_pylist()
    near = np.datetime64(AS_OF + 60, "D").astype(str)
    x[[name.startswith(f"black_vol:E0:{near}") for name in names]] *= 5.0
    assert np.isnan(prepared.price(np.zeros(1, np.int32), x)[0, 0])


def test_rules():
    columns = {name: value * 4 for name, value in one().items()}
    columns |= {
        "start_date": [AS_OF, AS_OF - 5, AS_OF + 400, AS_OF - 9],
        "expiry_date": [AS_OF + 1, AS_OF + 5, AS_OF + 400, AS_OF - 1],
        "realised_variance": [None, None, None, 0.1],
    }
    found = {
        (f.column, f.rule): f.rows.tolist()
        for f in VarianceSwap().validate(make_trades(VarianceSwap(), columns), AS_OF)
    }
    assert found == {
        ("expiry_date", "date_order"): [2],
        ("realised_variance", "seasoned"): [1],
        ("expiry_date", "not_past"): [3],
    }
