"""Asian options against QuantLib (geometric 1e-10 of spot; arithmetic against Choi 2018), Levy's table, identities."""

import csv
import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from flat_market import AS_OF, TODAY, FlatMarket, make_trades, process, random_market
from hypothesis import given
from hypothesis import strategies as st
from selections import examples

from riskpipe.kernels.asian import asian_options, shares
from riskpipe.market.labels import Labels
from riskpipe.products.equity_asian_option import EquityAsianOption
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fixing_dates import FIXING_FREQUENCIES, fixing_counts, fixing_dates

TRADES = 500
TODAY_DATE = date(1970, 1, 1) + timedelta(days=AS_OF)


@pytest.fixture(autouse=True)
def _today():
    ql.Settings.instance().evaluationDate = TODAY


def schedule(start, end, frequency):
    """Fixing days, by hand."""
    months = {"1M": 1, "3M": 3, "6M": 6, "1Y": 12}
    epoch, days, step = date(1970, 1, 1), [end], 1
    while frequency != "1T":
        last = epoch + timedelta(days=int(end))
        if frequency == "1D":
            day = days[0] - 1
            while (epoch + timedelta(days=int(day))).weekday() > 4:
                day -= 1
        elif frequency == "1W":
            day = end - 7 * step
        else:
            back = ql.Date(last.day, last.month, last.year) - ql.Period(months[frequency] * step, ql.Months)
            day = back.serialNumber() - 25569
        if day < start:
            break
        days.insert(0, day)
        step += 1
    return days


@examples(150)
@given(st.sampled_from(FIXING_FREQUENCIES), st.integers(-400, 400), st.integers(0, 900))
def test_schedules(frequency, start, length):
    begin, end = np.array([AS_OF + start], np.int32), np.array([AS_OF + start + length], np.int32)
    label = Labels.of([frequency])
    count = int(fixing_counts(begin, end, label)[0])
    found = fixing_dates(end, label, np.zeros(count, np.int64), np.arange(count)[::-1])
    assert found.tolist() == schedule(begin[0], end[0], frequency)


def seasoned_book(random, market, frequencies, longest):
    """Some start later, some are seasoned, some fix today or expire today."""
    which = random.integers(0, len(market.spot), TRADES)
    end = AS_OF + np.maximum(random.integers(-10, longest, TRADES), 0)
    start = np.minimum(AS_OF + random.integers(-200, 200, TRADES), end)
    frequency = random.choice(frequencies, TRADES)
    dates = [schedule(a, b, f) for a, b, f in zip(start, end, frequency, strict=True)]
    strict = random.random(TRADES) < 0.5
    done = np.array(
        [sum(d < AS_OF or (d == AS_OF and not s) for d in days) for days, s in zip(dates, strict, strict=True)]
    )
    spot = market.spot[which, 0]
    columns = {
        "underlying": [market.equities[k] for k in which],
        "currency": [market.currencies[k] for k in which],
        "quantity": random.normal(0.0, 100.0, TRADES),
        "option_type": random.choice(["call", "put"], TRADES).tolist(),
        "strike": spot * np.exp(random.normal(0.0, 0.15, TRADES)),
        "expiry_date": end,
        "fixing_start": start,
        "fixing_frequency": frequency.tolist(),
        "fixings_done": done.astype(float),
        "running_average": [
            average if past else None
            for average, past in zip(spot * random.uniform(0.8, 1.2, TRADES), done, strict=True)
        ],
    }
    return which, dates, columns


def quantlib(columns, dates, k, spot, rate, dividend, vol, geometric):
    done, average, strike = int(columns["fixings_done"][k]), columns["running_average"][k], columns["strike"][k]
    left = dates[k][done:]
    sign = 1.0 if columns["option_type"][k] == "call" else -1.0
    if len(left) == 0 or left[-1] == AS_OF:
        whole = [average] * done + [spot] * len(left)
        mean = math.exp(np.mean(np.log(whole))) if geometric else float(np.mean(whole))
        return max(sign * (mean - strike), 0.0)
    kind = ql.Option.Call if sign > 0.0 else ql.Option.Put
    running = (average**done if geometric else average * done) if done else (1.0 if geometric else 0.0)
    days = [TODAY + int(day - AS_OF) for day in left]
    style = ql.Average.Geometric if geometric else ql.Average.Arithmetic
    payoff, exercise = ql.PlainVanillaPayoff(kind, float(strike)), ql.EuropeanExercise(days[-1])
    option = ql.DiscreteAveragingAsianOption(style, float(running), done, days, payoff, exercise)
    market = process(spot, rate, dividend, vol)
    engine = (
        ql.AnalyticDiscreteGeometricAveragePriceAsianEngine(market)
        if geometric
        else ql.ChoiAsianEngine(market, 15.0, 1_000_000)
    )
    option.setPricingEngine(engine)
    return option.NPV()


def scenario(market, j, s):
    return tuple(float(a[j, s]) for a in (market.spot, market.rate, market.dividend, market.vol))


def test_geometric_averages():
    random = np.random.default_rng(61)
    market = random_market(random, 40)
    which, dates, columns = seasoned_book(random, market, ["1W", "1M", "3M", "6M", "1Y", "1T"], 900)

    values = market.price(EquityAsianOption(), {**columns, "averaging": ["geometric"] * TRADES})

    for k in range(TRADES):
        for s in range(3):
            terms = scenario(market, which[k], s)
            expected = quantlib(columns, dates, k, *terms, geometric=True)
            assert abs(values[k, s] / columns["quantity"][k] - expected) < 1e-10 * terms[0], (k, s)


def test_arithmetic_averages():
    random = np.random.default_rng(62)
    market = random_market(random, 40)
    which, dates, columns = seasoned_book(random, market, ["3M", "6M", "1T"], 700)

    values = market.price(EquityAsianOption(), {**columns, "averaging": ["arithmetic"] * TRADES})

    errors = []
    for k in range(TRADES):
        s = k % 3
        terms = scenario(market, which[k], s)
        expected = quantlib(columns, dates, k, *terms, geometric=False)
        deviation = terms[3] * math.sqrt((columns["expiry_date"][k] - AS_OF) / 365.0)
        error = (values[k, s] / columns["quantity"][k] - expected) / terms[0]
        errors.append(abs(error) / (1e-6 + 1e-4 * deviation**3))
    assert max(errors) < 1.0
    assert np.median(errors) < 0.1


@pytest.mark.parametrize(("vol", "tolerance"), [(0.2, 1e-7), (0.3, 5e-7), (0.5, 4e-6), (1.0, 3e-5)])
def test_twelve_fixings(vol, tolerance):
    dates = [schedule(AS_OF + 1, AS_OF + 365, "1M")]
    market = FlatMarket(*(np.full((2, 1), level) for level in (100.0, 0.05, 0.01, vol)))
    for strike in (80.0, 100.0, 120.0):
        columns = one(strike=strike)
        expected = quantlib({**columns, "running_average": [0.0], "fixings_done": [0]}, dates, 0,
                            100.0, 0.05, 0.01, vol, geometric=False)  # fmt: skip
        assert abs(market.price(EquityAsianOption(), columns)[0, 0] - expected) < tolerance * 100.0, strike


def one(**more):
    columns = {
        "underlying": "E0", "currency": "CAA", "quantity": 1.0, "option_type": "call", "strike": 100.0,
        "expiry_date": AS_OF + 365, "averaging": "arithmetic", "fixing_start": AS_OF + 1, "fixing_frequency": "1M",
    }  # fmt: skip
    return {name: [value] for name, value in {**columns, **more}.items()}


def price_at(times, spot, strike, rate, dividend, vol, years, sign):
    """Fixings at any times, in years."""
    times = np.asarray(times, float)
    offset, out = np.array([0, len(times)]), np.empty((1, 1))
    zero = np.zeros(1, np.int32)
    weights = np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[years, 0.0]])
    asian_options(
        zero,
        (spot * np.exp((rate - dividend) * times)[:, None], np.arange(len(times), dtype=np.int32)),
        (np.array([[np.exp(-rate * years)]]), zero),
        (np.zeros((1, 4), np.int32), *weights, np.array([[vol]])),
        (np.array([strike]), np.array([sign]), np.ones(1)),
        (np.array([years]), np.zeros(1, np.bool_), np.array([float(len(times))]), *np.zeros((2, 1)), np.empty((0, 0))),
        (offset, times, shares(offset, times)),
        out,
    )
    return out[0, 0]


def test_printed_values():
    """Levy (1997), Asian Options, in Clewlow and Strickland (eds), Exotic Options: the State of the Art."""
    with Path(__file__).with_name("levy_asians.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert len(rows) == 20
    for row in rows:
        first, years, count = float(row["first"]) / 12.0, 11.0 / 12.0, int(row["fixings"])
        times = first + np.arange(count) * years / (count - 1)
        value = price_at(times, 90.0, 87.0, 0.025, 0.06, 0.13, times[-1], -1.0)
        assert abs(value - float(row["value"])) < 3e-3, row


@examples(60)
@given(
    st.floats(40.0, 250.0), st.floats(-0.03, 0.1), st.floats(-0.03, 0.1),
    st.one_of(st.just(0.0), st.floats(0.001, 0.8)),
    st.integers(0, 18250), st.sampled_from(["1M", "3M", "1Y", "1T"]),
)  # fmt: skip
def test_parity_and_the_lower_bound_of_the_geometric_average(strike, rate, dividend, vol, days, frequency):
    market = FlatMarket(*(np.full((2, 1), level) for level in (100.0, rate, dividend, vol)))
    days = min(days, 3650) if frequency != "1Y" else days
    terms = {"strike": strike, "expiry_date": AS_OF + days, "fixing_start": AS_OF, "fixing_frequency": frequency}
    call, put, low = (
        market.price(EquityAsianOption(), one(**terms, **more))[0, 0]
        for more in ({}, {"option_type": "put"}, {"averaging": "geometric"})
    )
    times = (np.array(schedule(AS_OF, AS_OF + days, frequency)) - AS_OF) / 365.0
    mean = np.mean(100.0 * np.exp((rate - dividend) * times))
    discount = math.exp(-rate * days / 365.0)
    scale = discount * max(mean, strike)

    assert abs(call - put - discount * (mean - strike)) < 1e-12 * scale
    assert call >= low - 1e-12 * scale
    assert min(call, put) >= -1e-12 * scale


def test_one_fixing_is_a_european_option():
    market = random_market(np.random.default_rng(63), 2)
    asian = one(fixing_frequency="1T")
    european = {k: v for k, v in asian.items() if k not in ("averaging", "fixing_start", "fixing_frequency")}
    expected = market.price(EquityOption(), {**european, "exercise": ["european"]})
    for averaging in ("arithmetic", "geometric"):
        found = market.price(EquityAsianOption(), {**asian, "averaging": [averaging]})
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_average_that_is_in_the_money_for_certain():
    """The past alone is above the strike: exercised whatever comes."""
    market = FlatMarket(*(np.full((2, 1), level) for level in (100.0, 0.04, 0.0, 0.3)))
    terms = {"fixing_start": AS_OF - 300, "expiry_date": AS_OF + 30, "strike": 50.0, "running_average": 200.0}
    days = schedule(AS_OF - 300, AS_OF + 30, "1M")
    done = sum(day < AS_OF for day in days)
    future = sum(100.0 * math.exp(0.04 * (day - AS_OF) / 365.0) for day in days[done:])
    expected = math.exp(-0.04 * 30.0 / 365.0) * ((200.0 * done + future) / len(days) - 50.0)
    assert market.price(EquityAsianOption(), one(**terms))[0, 0] == pytest.approx(expected, rel=1e-13)
    assert market.price(EquityAsianOption(), one(option_type="put", **terms))[0, 0] == 0.0


def test_rules():
    size = 5
    columns = {name: value * size for name, value in one().items()}
    columns |= {
        "fixing_start": [AS_OF + 1, AS_OF + 500, AS_OF - 100, AS_OF - 100, AS_OF - 100],
        "fixings_done": [None, None, 1.0, 3.0, None],
        "running_average": [None, None, 90.0, 90.0, None],
    }
    trades = make_trades(EquityAsianOption(), columns)
    found = {(f.column, f.rule): f.rows.tolist() for f in EquityAsianOption().validate(trades, AS_OF)}
    before = sum(day < AS_OF for day in schedule(AS_OF - 100, AS_OF + 365, "1M"))
    assert before == 3
    assert found == {
        ("expiry_date", "date_order"): [1],
        ("fixings_done", "schedule"): [2],
        ("running_average", "past_fixings"): [4],
    }


def test_bits_do_not_depend_on_other_trades_and_scenarios():
    random = np.random.default_rng(64)
    market = random_market(random, 5)
    _, _, columns = seasoned_book(random, market, ["1D", "1W", "1M"], 400)
    columns["averaging"] = random.choice(["arithmetic", "geometric"], TRADES).tolist()
    product = EquityAsianOption()
    trades = make_trades(product, columns).slice(0, 40)
    prepared = product.prepare(trades, market.model)
    whole = prepared.price(np.arange(40, dtype=np.int32), market.x)
    for row in range(0, 40, 3):
        for s in range(3):
            x = np.ascontiguousarray(market.x[:, s : s + 1])
            assert prepared.price(np.array([row], np.int32), x).tobytes() == whole[row, s].tobytes()
        alone = product.prepare(trades.slice(row, row + 1), market.model).price(np.zeros(1, np.int32), market.x)
        assert alone.tobytes() == whole[row].tobytes()
