"""Evaluation of nodes: the formula in their docstrings, and the same bits whatever else is in the call."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskpipe.kernels.interpolation import bracket
from riskpipe.kernels.tiles import exponentials
from riskpipe.market.nodes import (
    DiscountNodes,
    ForwardNodes,
    FxForwardNodes,
    FxNodes,
    VarianceNodes,
    distinct,
)

N_FACTORS = 11


def _nodes(kind: str, n: int, rng: np.random.Generator):
    def index(width: int):
        return rng.integers(0, N_FACTORS, (n, width)).astype(np.int32)

    def weight(width: int):
        return rng.normal(0.0, 2.0, (n, width))

    fx = FxNodes(index(2), rng.integers(-1, 2, (n, 2)).astype(np.int8))
    return {
        "discount": lambda: DiscountNodes(index(2), weight(2)),
        "forward": lambda: ForwardNodes(index(6), weight(6)),
        "fx": lambda: fx,
        "fx_forward": lambda: FxForwardNodes(fx, index(4), weight(4)),
        "variance": lambda: VarianceNodes(index(4), weight(4), np.abs(weight(2))),
    }[kind]()


def _expected(nodes, k: int, x) -> float:
    """One node in one scenario (x is a column), in plain floats."""
    at = [float(x[i]) for i in nodes.index[k]]
    if isinstance(nodes, DiscountNodes):
        return math.exp(-sum(w * v for w, v in zip(nodes.weight[k], at, strict=True)))
    if isinstance(nodes, ForwardNodes):
        w = nodes.weight[k]
        return (w[0] * at[0] + w[1] * at[1]) * math.exp(sum(w[j] * at[j] for j in range(2, 6)))
    if isinstance(nodes, FxNodes):
        return at[0] ** int(nodes.power[k, 0]) * at[1] ** int(nodes.power[k, 1])
    if isinstance(nodes, FxForwardNodes):
        carry = math.exp(sum(w * v for w, v in zip(nodes.weight[k], at, strict=True)))
        return _expected(nodes.spot, k, x) * carry
    u, c = nodes.strike_weight[k], nodes.time_weight[k]
    return c[0] * (u[0] * at[0] + u[1] * at[1]) ** 2 + c[1] * (u[2] * at[2] + u[3] * at[3]) ** 2


KINDS = ("discount", "forward", "fx", "fx_forward", "variance")


@pytest.mark.parametrize("kind", KINDS)
def test_evaluate_is_the_formula(kind) -> None:
    rng = np.random.default_rng(1)
    nodes = _nodes(kind, 40, rng)
    x = rng.uniform(0.5, 1.5, (N_FACTORS, 19))
    values = nodes.evaluate(x)
    assert values.shape == (len(nodes), 19)
    assert values.flags.c_contiguous
    for k in range(len(nodes)):
        for s in range(19):
            # A difference of large terms loses digits, hence the absolute tolerance.
            assert values[k, s] == pytest.approx(_expected(nodes, k, x[:, s]), rel=2e-13, abs=1e-13)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_bits_do_not_depend_on_the_company(kind, data) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    nodes = _nodes(kind, 9, rng)
    width = data.draw(st.integers(1, 70))
    x = rng.uniform(0.5, 1.5, (N_FACTORS, width))
    whole = nodes.evaluate(x)
    columns = data.draw(st.lists(st.integers(0, width - 1), min_size=1, max_size=40))
    tile = nodes.evaluate(np.ascontiguousarray(x[:, columns]))
    assert tile.tobytes() == np.ascontiguousarray(whole[:, columns]).tobytes()


def test_weights_of_zero_give_exactly_one() -> None:
    x = np.random.default_rng(0).normal(0.0, 5.0, (N_FACTORS, 13))
    index = np.zeros((1, 2), np.int32)
    assert (DiscountNodes(index, np.zeros((1, 2))).evaluate(x) == 1.0).all()
    assert (FxNodes(index, np.zeros((1, 2), np.int8)).evaluate(x) == 1.0).all()


def test_no_nodes() -> None:
    for kind in KINDS:
        assert _nodes(kind, 0, np.random.default_rng(0)).evaluate(np.ones((N_FACTORS, 3))).shape == (0, 3)


@given(pairs=st.lists(st.tuples(st.integers(-1, 4), st.one_of(st.integers(0, 30), st.integers(-(2**31), 2**31 - 1)))))
def test_distinct_finds_every_pair_once(pairs) -> None:
    codes = np.array([p[0] for p in pairs], np.int32)
    days = np.array([p[1] for p in pairs], np.int32)
    code, day, position = distinct(codes, days)
    assert list(zip(code.tolist(), day.tolist(), strict=True)) == sorted(set(pairs))
    assert code[position].tolist() == codes.tolist()
    assert day[position].tolist() == days.tolist()
    assert (code.dtype, day.dtype, position.dtype) == (np.int32, np.int32, np.int32)


@given(data=st.data())
def test_bracket_is_searchsorted_in_each_range(data) -> None:
    grids = data.draw(st.lists(st.lists(st.integers(0, 20), unique=True).map(sorted), min_size=1, max_size=5))
    grid = np.array([g for part in grids for g in part], np.float64)
    stops = np.cumsum([len(part) for part in grids])
    keys = data.draw(st.lists(st.tuples(st.integers(0, len(grids) - 1), st.floats(-1.0, 21.0))))
    which = np.array([k[0] for k in keys], np.int64)
    key = np.array([k[1] for k in keys], np.float64)
    start, stop = (stops - [len(part) for part in grids])[which], stops[which]
    found = bracket(grid, start, stop, key)
    for k in range(len(keys)):
        part = grid[start[k] : stop[k]]
        assert found[k] == start[k] + np.searchsorted(part, key[k], side="right") - 1


def test_exponentials_agree_with_the_library() -> None:
    x = np.linspace(-50.0, 50.0, 1001)
    np.testing.assert_allclose(exponentials(x), np.exp(x), rtol=1e-15 * 4)
