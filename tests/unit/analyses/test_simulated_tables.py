"""Tables of simulated P&L, and of stresses, against plain NumPy over the vectors."""

from __future__ import annotations

import math

import numpy as np
import pyarrow.compute as pc
import pytest
from analysed_days import DIRECTIONS, STEPS, STRESSES, day, made, nodes
from scipy import stats

from riskpipe.analyses.catalogue import ANALYSES
from riskpipe.market.covariance import COMPONENTS
from riskpipe.market.covariance_directions import PAIRS, STEP
from riskpipe.measures.nearest_loss import nearest_loss
from riskpipe.measures.tail_definition import TailDefinition

N, SIMULATED = 250, 120
BOOKS = {book: np.random.default_rng(k).standard_t(4, N) * 1e4 for k, book in enumerate(("fx", "fx/spot", "rates"))}
VECTORS = {path: vector for _, path, vector, _, _ in nodes(BOOKS) if vector is not None}
TAILS = (
    TailDefinition("var_99", "var", 0.99),
    TailDefinition("rooted", "es", 0.9, horizon_days=10, horizon="square_root"),
    TailDefinition("windowed", "var", 0.99, window=100),
    TailDefinition("old", "var", 0.99, scenario_set="historical"),
)


def test_figures_of_simulated_scenarios() -> None:
    """Those of no days alone; the history's stay what they are."""
    rows = made(ANALYSES["var"], day(BOOKS, TAILS, simulated=SIMULATED))
    ours = rows.filter(pc.equal(rows["scenario_set"], "monte_carlo")).to_pylist()
    assert {row["name"] for row in ours} == {"var_99", "rooted"}
    for row in ours:
        losses = np.sort(-VECTORS[row["book"]][:SIMULATED])
        if row["name"] == "var_99":
            assert row["value_base"] == losses[math.ceil(0.99 * SIMULATED) - 1]
        else:
            assert row["value_base"] == pytest.approx(math.sqrt(10.0) * losses[-12:].mean(), rel=1e-12)
        assert row["scenario"].startswith("simulated ")
        assert row["scenario_date"] is None
    history = rows.filter(pc.equal(rows["scenario_set"], "historical"))
    assert history.equals(made(ANALYSES["var"], day(BOOKS, TAILS)))


def test_figures_to_second_order() -> None:
    rows = made(ANALYSES["delta_gamma_var"], day(BOOKS, TAILS, simulated=SIMULATED)).to_pylist()
    assert [(row["book"], row["name"]) for row in rows] == [
        (book, name) for book in ("", "fx", "rates", "fx/spot") for name in ("rooted", "var_99")
    ]
    for row in rows:
        vector = VECTORS[row["book"]]
        up, down = vector[:DIRECTIONS], vector[DIRECTIONS : 2 * DIRECTIONS]
        first, second = (up - down) / 2 / STEP, (up + down) / 2 / STEP**2
        assert row["mean_base"] == pytest.approx(second.mean(), rel=1e-12)
        assert row["deviation_base"] == pytest.approx(math.sqrt(np.mean(first**2) + second.var()), rel=1e-12)
        losses = np.sort(-vector[:SIMULATED])
        if row["name"] == "var_99":
            normal = stats.norm.ppf(0.99) * math.sqrt(np.mean(first**2))
            assert row["delta_normal_base"] == pytest.approx(normal, rel=1e-12)
            assert row["monte_carlo_base"] == losses[math.ceil(0.99 * SIMULATED) - 1]
        else:
            assert row["monte_carlo_base"] == pytest.approx(math.sqrt(10.0) * losses[-12:].mean(), rel=1e-12)
        assert row["difference_base"] == row["monte_carlo_base"] - row["value_base"]
    alone = made(ANALYSES["delta_gamma_var"], day(BOOKS, TAILS)).to_pylist()
    nothing = {"monte_carlo_base": None, "difference_base": None}
    assert alone == [row | nothing for row in rows]


def test_the_worst_stress_of_each_book() -> None:
    rows = made(ANALYSES["worst_stress"], day({**BOOKS, "lost": None})).to_pylist()
    assert [row["book"] for row in rows] == ["", "fx", "lost", "rates", "fx/spot"]
    for row in rows:
        assert row["scenarios"] == STRESSES
        if row["book"] == "lost":
            assert (row["scenario"], row["value_base"]) == (None, None)
        else:
            vector = VECTORS[row["book"]][:STRESSES]
            assert (row["scenario"], row["value_base"]) == (f"stress {vector.argmin()}", vector.min())


def test_reverse_stresses_add_up_to_what_is_asked_for() -> None:
    """Of P&Ls that are linear and quadratic in the steps by construction: the weighted moves lose the amount."""
    of = day(BOOKS)
    rows = made(ANALYSES["reverse_stress"], of).to_pylist()
    assert {row["scenario"] for row in rows} == {"far", "nobody"}
    lost = [row for row in rows if row["scenario"] == "nobody"]
    assert [(row["factor"], row["distance"], row["revalued_base"]) for row in lost] == [(None, None, None)]
    found = [row for row in rows if row["scenario"] == "far"]
    market, steps = of.market().snapshot, of.scenarios()
    assert [row["factor"] for row in found] == list(market.factor_ids)
    assert [row["shift_type"] for row in found] == [
        {"spot": "log", "zero_rate": "absolute"}[kind] for kind in market.kinds
    ]
    vector = VECTORS[""][: len(STEPS)]
    up, down = vector[:DIRECTIONS], vector[DIRECTIONS : 2 * DIRECTIONS]
    first = (up - down) / 2.0 / STEP
    along = vector[2 * DIRECTIONS :]
    delta = 0.5 * (along[:COMPONENTS] - along[COMPONENTS : 2 * COMPONENTS])
    gamma = np.diag(along[:COMPONENTS] + along[COMPONENTS : 2 * COMPONENTS])
    for k, (i, j) in enumerate(PAIRS):
        gamma[i, j] = gamma[j, i] = along[2 * COMPONENTS + k] - along[i] - along[j]
    rest = math.sqrt(max(np.mean(first**2) - delta @ delta, 0.0))
    nearest = nearest_loss(delta, gamma, rest, 1e6)
    assert nearest is not None
    share = nearest.beside / rest if rest else 0.0
    columns = steps.columns_of("delta_gamma")
    levels = np.array([steps.shocks(column)[1] for column in range(columns.start, columns.stop)])
    logs, differences = np.log(levels / market.x0), levels - market.x0
    for k, row in enumerate(found):
        move = (logs if row["shift_type"] == "log" else differences)[:, k]
        expected = share / DIRECTIONS / STEP * first @ move[:DIRECTIONS]
        expected += (nearest.along - share * delta) @ move[2 * DIRECTIONS : 2 * DIRECTIONS + COMPONENTS]
        assert row["shift"] == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert row["distance"] == nearest.distance
        assert (row["book"], row["level"], row["loss_base"]) == ("", 0, 1e6)
        # Limbs count multiples of 2^-8 and 2^-40.
        assert (row["revalued_base"], row["failed_trades"]) == (900_000.0 - 2.0**-8, 3)
