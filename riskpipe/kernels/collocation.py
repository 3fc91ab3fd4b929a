"""Nodes and weights with which `riskpipe.kernels.american` solves for exercise boundaries."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from riskpipe.arrays import FloatArray


class Scheme(NamedTuple):
    """Collocation of a boundary over one unit of time to expiry, on n nodes, with l and p points of quadrature.

    The boundary is a polynomial in the square root of time (Andersen, Lake and Offengenden 2016, section 5.3). Their
    integrals over the time s since exercise are taken with s = t sin^2(a), in which the roots of s and of t - s are
    both smooth: Gauss-Legendre points in a then converge geometrically.

    :ivar time: float64[n], nodes t_i in (0, 1], ascending.
    :ivar elapsed, left: float64[n, l], s_ij and t_i - s_ij.
    :ivar weight: float64[n, l], of d(sqrt s).
    :ivar basis: float64[n, l, n], of the nodes' values at the times left.
    :ivar last_elapsed, last_weight, last_basis: float64[p], [p], [p, n], the same for t = 1.
    :ivar share: float64[n], what a move of the boundary at a node alone weighs at most in a price, per unit of interest
        over deviation.
    :ivar sweeps: how often the boundary is put through its equation.
    """

    time: FloatArray
    elapsed: FloatArray
    left: FloatArray
    weight: FloatArray
    basis: FloatArray
    last_elapsed: FloatArray
    last_weight: FloatArray
    last_basis: FloatArray
    share: FloatArray
    sweeps: int


@cache
def collocation(nodes: int, points: int, last_points: int, sweeps: int) -> Scheme:
    """:param nodes: n, a multiple of four."""
    if nodes % 4 or nodes < 4:
        raise ValueError(f"the number of nodes must be a multiple of four, not {nodes}")
    position = -np.cos(np.pi * np.arange(nodes + 1) / nodes)
    time = (0.5 * (1.0 + position[1:])) ** 2
    sine, cosine, weight = _angles(points)
    last_sine, last_cosine, last_weight = _angles(last_points)
    last_basis = _basis(position, last_cosine)
    return Scheme(
        time=time,
        elapsed=time[:, None] * sine**2,
        left=time[:, None] * cosine**2,
        weight=np.sqrt(time)[:, None] * weight,
        basis=_basis(position, np.sqrt(time)[:, None] * cosine),
        last_elapsed=last_sine**2,
        last_weight=last_weight,
        last_basis=last_basis,
        share=2.0 * last_weight @ np.abs(last_basis) / np.sqrt(2.0 * np.pi),
        sweeps=sweeps,
    )


def _angles(points: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sines and cosines of angles in (0, pi / 2), and weights of d(sine)."""
    abscissa, weight = np.polynomial.legendre.leggauss(points)
    angle = 0.25 * np.pi * (1.0 + abscissa)
    return np.sin(angle), np.cos(angle), 0.25 * np.pi * weight * np.cos(angle)


def _basis(position: FloatArray, root: FloatArray) -> FloatArray:
    """Barycentric weights of the nodes but the first, where the boundary's transform is zero.

    :param root: square roots of times, any shape.
    """
    factor = (-1.0) ** np.arange(len(position))
    factor[0] *= 0.5
    factor[-1] *= 0.5
    terms = factor / ((2.0 * root - 1.0)[..., None] - position)
    return np.ascontiguousarray((terms / terms.sum(axis=-1, keepdims=True))[..., 1:])
