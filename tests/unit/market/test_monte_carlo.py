"""Simulated markets: the covariance they have, and tails in closed form."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from histories import moves_of
from scipy import stats

from riskpipe.arrays import FloatArray
from riskpipe.market.covariance import COMPONENTS, Covariance, leading_days, ledoit_wolf, standardised
from riskpipe.market.covariance_directions import ALONG_COMPONENTS, delta_gamma_columns, delta_gamma_moves
from riskpipe.market.factors import date_of
from riskpipe.market.history import PastMoves
from riskpipe.market.monte_carlo import simulated_columns, simulated_moves
from riskpipe.market.monte_carlo_terms import MonteCarloTerms

DAYS, FACTORS = 60, 12


def terms(scenarios: int = 1024, copula: str = "normal", seed: int = 3) -> MonteCarloTerms:
    return MonteCarloTerms(scenarios, copula, 4.0, seed, None)  # type: ignore[arg-type]


@pytest.fixture
def past(snapshot) -> PastMoves:
    """Correlated moves of the first factors that move by differences, some of them missing."""
    random = np.random.default_rng(4)
    common = random.normal(size=(DAYS, 3)) @ random.normal(size=(3, FACTORS))
    moves = 1e-3 * np.arange(1, FACTORS + 1) * (common + random.normal(size=(DAYS, FACTORS)))
    is_log = np.zeros(FACTORS, np.bool_)
    factors = [k for k, kind in enumerate(snapshot.kind_of_factor) if kind.move == "absolute"][:FACTORS]
    return PastMoves(np.array(factors, np.int32), moves, is_log, is_log)


def plain_ledoit_wolf(moves: FloatArray) -> float:
    """Section 3.2 of the paper as it stands, by p x p matrices."""
    n, p = moves.shape
    sample = moves.T @ moves / n
    mean = np.trace(sample) / p
    distance = np.sum((sample - mean * np.eye(p)) ** 2) / p
    spread = sum(np.sum((np.outer(x, x) - sample) ** 2) / p for x in moves) / n**2
    return min(spread, distance) / distance


@pytest.mark.parametrize(("n", "p"), [(60, 12), (20, 50), (200, 3)])
def test_shrinkage_is_that_of_the_paper(n: int, p: int) -> None:
    random = np.random.default_rng(n)
    moves = random.normal(size=(n, p)) + random.normal(size=(n, 1))
    assert ledoit_wolf(moves) == pytest.approx(plain_ledoit_wolf(moves), rel=1e-10)
    assert ledoit_wolf(np.ones((n, 1))) == 0.0


def test_moves_over_their_deviations(past) -> None:
    moves = past.moves.copy()
    moves[5:20, 2] = np.nan
    moves[:, 7] = 0.0
    found = standardised(PastMoves(past.factors, moves, past.is_log, past.is_relative))
    assert found.factors.tolist() == [k for k in range(FACTORS) if k != 7]
    np.testing.assert_allclose(np.mean(found.moves**2, axis=0), 1.0, rtol=1e-13)
    assert found.deviation[2] == pytest.approx(np.sqrt(np.nanmean(moves[:, 2] ** 2)), rel=1e-14)
    assert (found.moves[5:20, 2] == 0.0).all()


def test_leading_days_are_the_principal_components(past) -> None:
    moves = standardised(past).moves
    days = leading_days(moves, 3)
    np.testing.assert_allclose(days @ days.T, np.eye(3), atol=1e-12)
    variances = np.sum((days @ moves) ** 2, axis=1) / DAYS
    np.testing.assert_allclose(variances, np.linalg.eigvalsh(moves.T @ moves / DAYS)[::-1][:3], rtol=1e-6)


@pytest.mark.parametrize("copula", ["normal", "t"])
@pytest.mark.parametrize("shrinkage", [None, 0.0, 1.0])
def test_moves_have_the_shrunk_covariance(past, snapshot, copula: str, shrinkage: float | None) -> None:
    covariance = Covariance(past, snapshot, shrinkage)
    scaled = standardised(past)
    weight = plain_ledoit_wolf(scaled.moves) if shrinkage is None else shrinkage
    assert covariance.shrinkage == pytest.approx(weight, rel=1e-10)
    expected = (1.0 - weight) * scaled.moves.T @ scaled.moves / DAYS + weight * np.eye(FACTORS)
    found = simulated_moves(covariance, terms(4096, copula), 0, 4096)
    np.testing.assert_allclose(found.T @ found / 4096, expected, atol=0.25 if copula == "t" else 0.06)
    assert np.abs(found.mean(axis=0)).max() < 0.05


@pytest.mark.parametrize("copula", ["normal", "t"])
def test_value_at_risk_of_a_linear_portfolio_converges_to_its_closed_form(past, snapshot, copula: str) -> None:
    scaled = standardised(past)
    holding = np.linspace(-1.0, 2.0, FACTORS)
    shrunk = Covariance(past, snapshot, 0.05)
    covariance = 0.95 * scaled.moves.T @ scaled.moves / DAYS + 0.05 * np.eye(FACTORS)
    deviation = np.sqrt(holding @ covariance @ holding)
    law = stats.norm() if copula == "normal" else stats.t(4.0, scale=np.sqrt(0.5))
    quantile, errors = law.ppf(0.99), {}
    for scenarios in (1 << 10, 1 << 14):
        found = []
        for seed in range(6):
            losses = np.sort(-simulated_moves(shrunk, terms(scenarios, copula, seed), 0, scenarios) @ holding)
            found.append(losses[int(np.ceil(0.99 * scenarios)) - 1] / (quantile * deviation) - 1.0)
        errors[scenarios] = np.sqrt(np.mean(np.square(found)))
    random = np.sqrt(0.01 * 0.99 / (1 << 14)) / law.pdf(quantile) / quantile
    assert errors[1 << 14] < min(1.25 * random, errors[1 << 10])


def test_only_the_copula_t_has_joint_tails(snapshot, past) -> None:
    """Its coefficient in closed form (Demarta and McNeil 2005), of two factors of correlation 1/2."""
    random = np.random.default_rng(1)
    two = np.linalg.qr(random.normal(size=(50, 2)))[0] @ np.linalg.cholesky([[1.0, 0.5], [0.5, 1.0]]).T
    moves = PastMoves(past.factors[:2], 1e-3 * two, past.is_log[:2], past.is_relative[:2])
    joint = {}
    for copula in ("normal", "t"):
        found = simulated_moves(Covariance(moves, snapshot, 0.0), terms(1 << 16, copula), 0, 1 << 16)
        worst = found < np.quantile(found, 0.002, axis=0)
        joint[copula] = (worst[:, 0] & worst[:, 1]).sum() / worst[:, 0].sum()
    limit = 2.0 * stats.t.cdf(-np.sqrt(5.0 * 0.5 / 1.5), 5.0)
    assert joint["t"] == pytest.approx(limit, abs=0.06)
    assert joint["normal"] < 0.5 * joint["t"]


@pytest.mark.parametrize("copula", ["normal", "t"])
def test_bits_do_not_depend_on_how_many_are_made_at_a_time(past, snapshot, copula: str) -> None:
    covariance, asked = Covariance(past, snapshot, None), terms(300, copula)
    whole = simulated_moves(covariance, asked, 0, 300)
    for first, count in ((0, 1), (17, 100), (299, 1)):
        np.testing.assert_array_equal(simulated_moves(covariance, asked, first, count), whole[first : first + count])
    columns = list(simulated_columns(covariance, asked))
    assert [name for name, _, _ in columns] == [f"simulated {k:03d}" for k in range(1, 301)]
    again = list(simulated_columns(Covariance(past, snapshot, None), asked))
    assert [levels.tobytes() for _, _, levels in again] == [levels.tobytes() for _, _, levels in columns]
    assert not np.array_equal(simulated_moves(covariance, terms(300, copula, seed=4), 0, 300), whole)


def test_levels_are_made_as_the_history_moves(rows, snapshot, as_of) -> None:
    """Ratios of prices stay above zero, however large the moves; rates move by differences."""
    random = np.random.default_rng(9)
    days = [(date_of(as_of - back), random.normal()) for back in range(30, -1, -1)]
    table = pa.table(
        {
            "date": pa.array([day for day, _ in days for _ in rows], pa.date32()),
            "factor": [row["factor"] for _ in days for row in rows],
            "value": [row["value"] * (1.0 + 0.2 * np.tanh(noise)) for _, noise in days for row in rows],
        }
    )
    moves = moves_of(table, snapshot)
    past = moves.matrix()
    assert past is not None
    for (_, factors, levels), move in zip(moves_of(table, snapshot).columns(), past.moves, strict=True):
        today = snapshot.x0[factors]
        applied = np.where(past.is_log, today * np.exp(move), today + move)
        np.testing.assert_allclose(applied, levels, rtol=1e-12)
        np.testing.assert_array_equal(factors, past.factors)
    covariance = Covariance(past, snapshot, None)
    for _, factors, levels in simulated_columns(covariance, terms(500)):
        is_price = np.array([snapshot.kind_of_factor[k].positive for k in factors])
        assert (levels[is_price] > 0.0).all()
    assert covariance.faults == []


def test_a_history_in_which_nothing_moves(past, snapshot) -> None:
    with pytest.raises(ValueError, match="nothing moves has no covariance"):
        Covariance(PastMoves(past.factors, 0.0 * past.moves, past.is_log, past.is_relative), snapshot, None)


def test_directions_make_up_the_covariance(past, snapshot) -> None:
    scaled = standardised(past).moves
    random = np.random.default_rng(8)
    delta, gamma = random.normal(size=FACTORS), random.normal(size=(FACTORS, FACTORS))
    covariance = scaled.T @ scaled / DAYS
    moves = delta_gamma_moves(Covariance(past, snapshot, 0.0), 3)
    assert moves.shape == (DAYS, FACTORS)
    assert np.mean((moves @ delta) ** 2) == pytest.approx(delta @ covariance @ delta, rel=1e-10)
    second = 0.5 * np.einsum("ni,ij,nj->n", moves, gamma, moves)
    assert second.mean() == pytest.approx(0.5 * np.trace(gamma @ covariance), rel=1e-9)
    shrunk = delta_gamma_moves(Covariance(past, snapshot, 1.0), 3)
    assert np.mean((shrunk @ delta) ** 2) == pytest.approx(delta @ delta, rel=0.4)
    columns = list(delta_gamma_columns(Covariance(past, snapshot, None), 3))
    assert [name for name, _, _ in columns][: 2 * DAYS] == [
        f"direction {k + 1} {side}" for side in ("up", "down") for k in range(DAYS)
    ]
    assert len(columns) == 2 * DAYS + ALONG_COMPONENTS
    today = snapshot.x0[columns[0][1]]
    np.testing.assert_allclose(columns[0][2] + columns[DAYS][2], 2.0 * today, rtol=1e-12)
    # Components are independent and of deviation one; pairs are sums.
    one = [columns[2 * DAYS + k][2] - today for k in range(COMPONENTS)]
    both = columns[2 * DAYS + 2 * COMPONENTS][2] - today
    np.testing.assert_allclose(both, one[0] + one[1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(columns[2 * DAYS + COMPONENTS][2] - today, -one[0], rtol=0, atol=1e-15)
