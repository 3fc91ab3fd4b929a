"""Stressed windows, liquidity horizons and figures by class, against plain NumPy and a hand's arithmetic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from analysed_days import TERMS, day, made

from riskpipe.analyses.catalogue import ANALYSES
from riskpipe.analyses.risk_terms import RiskTerms, StressedWindow
from riskpipe.arrays import FloatArray
from riskpipe.measures.rolling_shortfall import rolling_shortfall
from riskpipe.measures.tail import expected_shortfall
from riskpipe.measures.tail_definition import TailDefinition

N = 300
BOOKS = {book: np.random.default_rng(k).standard_t(4, N) * 1e4 for k, book in enumerate(("fx/spot", "rates/eur"))}


def plain_shortfall(pnl: FloatArray, confidence: float) -> float:
    worst, count = np.sort(-pnl)[::-1], len(pnl) * (1.0 - confidence)
    whole = int(round(count, 9))
    return float((worst[:whole].sum() + (count - whole) * worst[whole]) / count)


@pytest.mark.parametrize(("days", "confidence"), [(2, 0.9), (50, 0.975), (250, 0.975), (N, 0.95)])
def test_every_window_has_the_shortfall_that_it_has_alone(days: int, confidence: float) -> None:
    pnl = np.round(BOOKS["rates/eur"], -3)  # with ties
    found = rolling_shortfall(pnl, days, confidence)
    windows = [pnl[k : k + days] for k in range(N - days + 1)]
    assert found.tolist() == [expected_shortfall(window, confidence) for window in windows]
    np.testing.assert_allclose(found, [plain_shortfall(window, confidence) for window in windows], rtol=1e-12)


def test_the_worst_window_of_the_root_and_of_a_book() -> None:
    asked = [StressedWindow(name, book, 60, 0.95, "historical") for name, book in (("b", "rates/eur"), ("a", ""))]
    absent = [StressedWindow("c", "rates/chf", 60, 0.95, "historical"), StressedWindow("d", "", 60, 0.95, "other")]
    of = day(BOOKS, terms=RiskTerms((), None, (*asked, *absent)))
    rows = made(ANALYSES["stressed_windows"], of).to_pylist()
    names = next(of.read("scenarios"))
    dates = names["date"].to_pylist()
    assert [row["name"] for row in rows] == ["a", "b", "c", "d"]
    for row, pnl in zip(rows[:2], (sum(BOOKS.values()), BOOKS["rates/eur"]), strict=True):
        plain = [plain_shortfall(pnl[k : k + 60], 0.95) for k in range(N - 59)]
        first = int(np.argmax(plain))
        assert row["value_base"] == pytest.approx(max(plain), rel=1e-12)
        assert row["latest_base"] == pytest.approx(plain[-1], rel=1e-12)
        assert (row["first_date"], row["last_date"]) == (dates[first], dates[first + 59])
    assert [row["value_base"] for row in rows[2:]] == [None, None]


# Shares of the whole's shortfall that the nested sets have, and the square of what all come to, by hand: the steps from
# horizon to horizon are 1, 1, 2, 2 and 6 times ten days.
ALL_FIVE = {"lh_20": 0.8, "lh_40": 0.6, "lh_60": 0.5, "lh_120": 0.2}
NESTED = [
    (ALL_FIVE, 1.0 + 0.64 + 2 * 0.36 + 2 * 0.25 + 6 * 0.04),
    ({"lh_20": 0.8, "lh_60": 0.5, "lh_120": 0.0}, 1.0 + 0.64 + 2 * 0.25 + 2 * 0.25),  # none of 40 days: those of 60
    ({"lh_120": 0.0}, 1.0),
]


@pytest.mark.parametrize(("shares", "square"), NESTED)
def test_shortfall_by_liquidity_horizons(shares: dict[str, float], square: float) -> None:
    rows = made(ANALYSES["liquidity_es"], day(BOOKS, classes={"rates": 0.5, **shares})).to_pylist()
    root = [row for row in rows if row["level"] == 0]
    whole = plain_shortfall(np.sum(list(BOOKS.values()), axis=0), 0.975)
    assert [row["liquidity_horizon"] for row in root] == [10, 20, 40, 60, 120, None]
    assert root[-1]["value_base"] == pytest.approx(whole * math.sqrt(square), rel=1e-12)
    assert math.sqrt(sum(row["value_base"] ** 2 for row in root[:-1])) == pytest.approx(root[-1]["value_base"])
    assert root[0]["es_base"] == pytest.approx(whole, rel=1e-12)
    for row in root[1:-1]:
        at = [share for name, share in shares.items() if int(name[3:]) >= row["liquidity_horizon"]]
        assert row["es_base"] == pytest.approx(whole * max(at, default=0.0), rel=1e-12)
    assert len(rows) == 6 * 5


def test_figures_by_class() -> None:
    """A definition is of every class there is, or of the one it names; nested sets have no figures of their own."""
    shares = {"rates": 0.7, "fx": 0.2, "cross": 0.1, "lh_20": 0.9}
    tails = [TailDefinition("every", "es", 0.975), TailDefinition("of_fx", "es", 0.975, risk_class="fx")]
    tails += [TailDefinition("elsewhere", "es", 0.975, scenario_set="crisis")]
    rows = made(ANALYSES["var"], day(BOOKS, tails=tails, classes=shares)).to_pylist()
    of_root = [(row["risk_class"], row["name"], row["value_base"]) for row in rows if row["level"] == 0]
    whole = plain_shortfall(np.sum(list(BOOKS.values()), axis=0), 0.975)
    named = [("all", "every", 1.0), ("rates", "every", 0.7), ("fx", "every", 0.2), ("fx", "of_fx", 0.2)]
    named += [("cross", "every", 0.1)]
    assert [row[:2] for row in of_root] == [row[:2] for row in named]
    np.testing.assert_allclose([row[2] for row in of_root], [whole * row[2] for row in named], rtol=1e-12)
    components = made(ANALYSES["var_components"], day(BOOKS, tails=tails, classes=shares))
    assert set(components["name"].to_pylist()) == {"every"}


def test_what_is_asked_of_too_short_a_history_is_told() -> None:
    asked = RiskTerms((TailDefinition("long", "var", 0.99, window=301),), TERMS.liquidity, TERMS.stressed_windows)
    assert asked.wanting({"historical": 301, "crisis": 301}) == {}
    found = asked.wanting({"historical": 99, "crisis": 99})
    assert [message.split(":")[1].split()[0] for message in found["historical"]] == ["long", "worst"]
    assert [message.split(":")[1].split()[0] for message in found["crisis"]] == ["long"]
    assert "the history crisis has 99" in found["crisis"][0]


def test_a_day_that_was_priced_without_nested_sets_has_no_figure_by_horizons() -> None:
    assert made(ANALYSES["liquidity_es"], day(BOOKS)).num_rows == 0
