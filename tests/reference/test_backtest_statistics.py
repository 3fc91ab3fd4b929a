"""Statistics of backtests against `vetted` and SciPy, and against what was printed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from vetted import frtb
from vetted import var as coverage

from riskpipe.measures.backtest_statistics import (
    christoffersen_p,
    kolmogorov_smirnov,
    kupiec_p,
    pla_zone,
    spearman,
    traffic_light,
)


def losses(seed: int, days: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """P&L that clusters, and a value at risk of one."""
    rng = np.random.default_rng(seed)
    hit = rng.random(days) < rate
    hit[1:] |= hit[:-1] & (rng.random(days - 1) < 0.3)
    return np.where(hit, -2.0, 0.5), np.ones(days)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("probability", [0.01, 0.025, 0.05])
def test_coverage(seed: int, probability: float) -> None:
    days = (2, 20, 250, 1000)[seed % 4]
    pnl, value_at_risk = losses(seed, days, probability * (seed % 3))
    hits = pnl < -value_at_risk
    found = kupiec_p(int(hits.sum()), days, probability)
    assert found == pytest.approx(coverage.kupiec(pnl, value_at_risk, probability).p_value, rel=1e-9, abs=1e-300)
    expected = coverage.christoffersen(pnl, value_at_risk, probability).p_value
    assert christoffersen_p(hits, probability) == pytest.approx(expected, rel=1e-9, abs=1e-300)


KUPIEC = {
    (0.01, 255): (0, 7), (0.025, 255): (2, 12), (0.05, 255): (6, 21), (0.075, 255): (11, 28), (0.10, 255): (16, 36),
    (0.01, 510): (1, 11), (0.025, 510): (6, 21), (0.05, 510): (16, 36), (0.075, 510): (27, 51), (0.10, 510): (38, 65),
    (0.01, 1000): (4, 17), (0.025, 1000): (15, 36), (0.05, 1000): (37, 65), (0.075, 1000): (59, 92),
    (0.10, 1000): (81, 120),
}  # fmt: skip
"""Kupiec (1995), table 3: (probability, days) -> the numbers of failures right outside the region of no rejection at
5 %. It prints no lower bound for 255 days and 1 %, where the ratio of no failure is 5.1."""


@pytest.mark.parametrize(("case", "bounds"), KUPIEC.items())
def test_the_printed_regions_of_no_rejection(case: tuple[float, int], bounds: tuple[int, int]) -> None:
    probability, days = case
    kept = [k for k in range(days + 1) if kupiec_p(k, days, probability) >= 0.05]
    assert (kept[0], kept[-1]) == (bounds[0] + 1, bounds[1] - 1)


def test_the_printed_zones() -> None:
    """Basel Committee (1996), table 2; MAR99."""
    zones = [traffic_light(k, 250, 0.01) for k in range(15)]
    assert zones == ["green"] * 5 + ["yellow"] * 5 + ["red"] * 5


@pytest.mark.parametrize(("days", "probability"), [(1, 0.01), (60, 0.01), (125, 0.025), (500, 0.01), (1000, 0.05)])
def test_zones_of_other_windows(days: int, probability: float) -> None:
    zones = frtb.binomial_zones(days, probability)
    for k in range(min(days, 90) + 1):
        expected = "green" if k <= zones["green"][1] else "red" if k >= zones["red_from"] else "yellow"
        assert traffic_light(k, days, probability) == expected


@pytest.mark.parametrize("seed", range(6))
def test_attribution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = np.round(rng.standard_normal(250), 1 + seed % 3)
    real = model + rng.standard_normal(250) * (0.05, 0.3, 0.9)[seed % 3] + (0.0, 0.1)[seed % 2]
    expected = frtb.pla_test(model, real)
    assert spearman(model, real) == pytest.approx(expected.statistic, abs=1e-12)
    assert spearman(model, real) == pytest.approx(stats.spearmanr(model, real)[0], abs=1e-12)
    assert kolmogorov_smirnov(model, real) == pytest.approx(expected.detail["ks"], abs=1e-12)
    zone = pla_zone(spearman(model, real), kolmogorov_smirnov(model, real))
    assert zone == {"amber": "yellow"}.get(expected.detail["zone"], expected.detail["zone"])


def test_ranks_of_equals_alone_have_no_correlation() -> None:
    assert np.isnan(spearman(np.zeros(5), np.arange(5.0)))


@pytest.mark.parametrize(
    ("correlation", "distance", "zone"),
    [(0.81, 0.08, "green"), (0.80, 0.08, "yellow"), (0.81, 0.09, "yellow"), (0.70, 0.12, "yellow"),
     (0.69, 0.01, "red"), (0.99, 0.121, "red")],
)  # fmt: skip
def test_zones_of_attribution(correlation: float, distance: float, zone: str) -> None:
    assert pla_zone(correlation, distance) == zone
