"""American options under scenarios: boundaries from the base scenario's are those that cold ones converge to."""

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from american_prices import HIGH, price, quantlib
from flat_market import TODAY

from riskpipe.kernels.american import american_options
from riskpipe.kernels.collocation import collocation
from riskpipe.products.american import LAST_POINTS, NODES, POINTS, expanded, schemes

CONVERGED = collocation(NODES, POINTS, LAST_POINTS, 60)
SCENARIOS = 60
DAILY = (0.03, 0.0006, 0.0002)
# Volatilities by 30 %, rates and dividends by 200 and 50 basis points.
LARGE = (0.3, 0.02, 0.005)


@pytest.fixture(autouse=True)
def _today():
    ql.Settings.instance().evaluationDate = TODAY


def trades(random, count):
    """Strike one: spot, rate, dividend, vol, days and sign; on no dividends, on rates equal to dividends, on any."""
    for k in range(count):
        rate = random.uniform(0.001, 0.08)
        dividend = (0.0, rate, random.uniform(0.0, 0.08), random.uniform(0.0, 0.02))[k % 4]
        vol, days = random.uniform(0.12, 0.6), int(np.exp(random.uniform(np.log(5.0), np.log(1100.0))))
        spot = float(np.exp(0.8 * random.normal() * vol * np.sqrt(days / 365.0)))
        yield (spot, rate, dividend, vol), days, float(random.choice([-1.0, 1.0]))


def scenarios(random, base, moves, count=SCENARIOS):
    """Spots, rates, dividends and vols; rates and dividends that were not below zero stay so."""
    spot, rate, dividend, vol = base
    by_vol, by_rate, by_dividend = (each * random.uniform(-1.0, 1.0, count) for each in moves)
    spots = spot * np.exp(random.normal(0.0, by_vol[0] ** 2 + 0.1, count))
    moved = dividend + by_dividend * (dividend > 0.0)
    return spots, np.maximum(rate + by_rate, 0.0), np.maximum(moved, 0.0), vol * (1.0 + by_vol)


@pytest.mark.parametrize("moves", [DAILY, LARGE])
def test_within_1e7_of_converged_boundaries(moves):
    random, worst = np.random.default_rng(41), []
    for base, days, sign in trades(random, 400):
        columns = scenarios(random, base, moves)
        terms = columns[0], 1.0, *columns[1:], days, sign
        errors = price(*terms, base=base) - price(*terms, CONVERGED, base="none")
        worst.append(np.abs(errors).max())
    assert max(worst) < 1e-7
    assert np.median(worst) < 1e-8


def test_against_quantlib():
    """As exact under scenarios, small and large, as in the base."""
    random = np.random.default_rng(42)
    for base, days, sign in trades(random, 60):
        if min(base[1:3]) < 0.002 or days < 20 or base[3] < 0.15:
            continue
        for moves in (DAILY, LARGE):
            columns = scenarios(random, base, moves, 3)
            values = price(columns[0], 1.0, *columns[1:], days, sign, base=base)
            for k in range(3):
                spot, rate, dividend, vol = (float(column[k]) for column in columns)
                expected = quantlib(spot, 1.0, rate, dividend, vol, days, sign, HIGH)
                assert abs(values[k] - expected) < 1e-6, (base, days, sign, k)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize(
    "base",
    [(100.0, 0.03, 0.01, 0.2), (100.0, 0.03, 0.03, 0.2), (100.0, 0.01, 0.03, 0.2), (100.0, 0.02, -0.01, 0.2)],
    ids=["dividends below rates", "equal", "above", "below zero"],
)
def test_signs_that_change_between_base_and_scenario(base, sign):
    """Of rates, of dividends and of their difference: what the boundary is from cold."""
    rates = np.array([0.03, 0.03, 0.03, 0.0, 0.0, -0.02, -0.02, -0.02, 0.001, 0.03, 0.03])
    dividends = np.array([0.03, 0.0300001, 0.0299999, 0.0, 0.02, 0.0, -0.05, 0.02, 0.05, -0.002, 1e-12])
    terms = np.full(len(rates), 95.0), 100.0, rates, dividends, 0.22, 400, sign
    cold = price(*terms, base="none")
    assert np.abs(price(*terms, base=base) - cold).max() < 100.0 * 1e-7


def levels_of(random, size, moved, sizes=(0.2, 0.01, 0.005)):
    vol, rate, dividend = (each * random.normal(0.0, 1.0, size) * moved for each in sizes)
    return 100.0 * np.exp(random.normal(0.0, 0.1, size)), 0.03 + rate, 0.01 + dividend, 0.2 * np.exp(vol)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_scenario_alone_has_the_bits_that_it_has_among_others(sign):
    """Whatever boundaries are found together, however, and whether one is kept over scenarios."""
    random = np.random.default_rng(33)
    base = 100.0, 0.03, 0.01, 0.2
    some = [
        levels_of(random, 70, False),
        levels_of(random, 90, True),
        levels_of(random, 90, True, (0.02, 0.001, 0.0005)),
    ]
    columns = [np.concatenate([*parts, parts[0][:3]]) for parts in zip(*some, strict=True)]
    columns[1][5:9] = -0.02  # another regime in between
    columns[2][7] = -0.05
    columns[3][11] = 0.0
    columns[2][200] = columns[1][200]  # at the bend, and across
    columns[2][201] = columns[1][201] + 1e-4
    together = price(columns[0], 100.0, *columns[1:], 500, sign, base=base)

    for k in range(len(together)):
        alone = price(columns[0][k], 100.0, *[c[k] for c in columns[1:]], 500, sign, base=base)
        assert alone.tobytes() == together[k : k + 1].tobytes(), k
    for width in (7, 64, 65):
        parts = [
            price(columns[0][i : i + width], 100.0, *[c[i : i + width] for c in columns[1:]], 500, sign, base=base)
            for i in range(0, len(together), width)
        ]
        assert np.concatenate(parts).tobytes() == together.tobytes()
    order = random.permutation(len(together))
    shuffled = price(columns[0][order], 100.0, *[c[order] for c in columns[1:]], 500, sign, base=base)
    assert shuffled.tobytes() == together[order].tobytes()


def test_options_that_wait_for_each_other_have_the_bits_that_each_has_alone():
    """More boundaries from cold than are solved for at a time, of both schemes; some serve several scenarios."""
    random, options, count = np.random.default_rng(11), 150, 12
    days, strike = 400, random.uniform(60.0, 150.0, options)
    sign = random.choice([-1.0, 1.0], options)
    shocked = np.arange(count) // 3  # three scenarios have one boundary each
    spot = 100.0 * random.uniform(0.7, 1.4, (options, count))
    rate = random.uniform(-0.01, 0.08, (options, 1)) + 0.02 * shocked
    dividend = random.uniform(-0.02, 0.06, (options, 1)) + 0.01 * shocked
    vol = random.uniform(0.15, 0.4, (options, 1)) * (1.0 + shocked)
    rows, years = np.arange(options, dtype=np.int32), days / 365.0
    terms = strike, sign, np.ones(options)

    def market(columns):
        one, at = np.ones((options, 4)) * [1.0, 0.0, 0.0, 0.0], (..., columns)
        variances = np.repeat(rows[:, None], 4, 1), one, np.tile([years, 0.0], (options, 1)), vol[at].copy()
        forward = spot * np.exp((rate - dividend) * years)
        nodes = (spot[at].copy(), rows), (forward[at].copy(), rows), (np.exp(-rate * years)[at].copy(), rows)
        return *nodes, variances

    out = np.empty((options, count))
    exercise = schemes(), expanded(rows, rows, market(slice(0, 1)), terms, schemes())
    american_options(rows, *market(slice(None)), terms, exercise, out)
    for k in range(options):
        alone = price(spot[k], strike[k], rate[k], dividend[k], vol[k], days, sign[k])
        assert np.array_equal(out[k], alone), k
