"""Fits the polynomials of kernels/mathematics.py with mpmath and prints riskpipe/kernels/coefficients.py.

Every fit interpolates the target at Chebyshev nodes in 80-digit arithmetic, which is within a small factor of
the best possible fit, and is then checked on a dense grid. Run:

    python benchmarks/fit_polynomials.py > riskpipe/kernels/coefficients.py
"""

from __future__ import annotations

from collections.abc import Callable

from mpmath import mp, mpf

mp.dps = 80

Function = Callable[[mpf], mpf]


def chebyshev_nodes(low: mpf, high: mpf, count: int) -> list[mpf]:
    middle, half = (low + high) / 2, (high - low) / 2
    return [middle + half * mp.cos(mp.pi * (2 * k + 1) / (2 * count)) for k in range(count)]


def polynomial(target: Function, low: mpf, high: mpf, degree: int) -> list[mpf]:
    """Coefficients, lowest power first, of the interpolant at degree + 1 Chebyshev nodes."""
    nodes = chebyshev_nodes(low, high, degree + 1)
    matrix = mp.matrix([[node**power for power in range(degree + 1)] for node in nodes])
    return list(mp.lu_solve(matrix, mp.matrix([target(node) for node in nodes])))


def rational(target: Function, low: mpf, high: mpf, degree: int) -> tuple[list[mpf], list[mpf]]:
    """Numerator and denominator (constant term 1) of one degree, interpolating at 2 degree + 1 nodes."""
    nodes = chebyshev_nodes(low, high, 2 * degree + 1)
    values = [target(node) for node in nodes]
    powers = range(degree + 1)
    rows = [[x**p for p in powers] + [-y * x**p for p in powers if p] for x, y in zip(nodes, values, strict=True)]
    solution = list(mp.lu_solve(mp.matrix(rows), mp.matrix(values)))
    return solution[: degree + 1], [mpf(1), *solution[degree + 1 :]]


def horner(coefficients: list[mpf], x: mpf) -> mpf:
    total = mpf(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def largest_error(target: Function, fit: Function, low: mpf, high: mpf) -> float:
    """Largest relative error of the fit on 2,000 points."""
    points = [low + (high - low) * k / 1999 for k in range(2000)]
    return float(max(abs(fit(x) / target(x) - 1) for x in points))


def show(name: str, comment: str, coefficients: list[mpf], error: float) -> None:
    print(f"\n# {comment}\n# Relative error {error:.1e} in exact arithmetic.")
    print(f"{name} = (")
    for coefficient in coefficients:
        print(f"    {float(coefficient)!r},")
    print(")")


def rounded(coefficients: list[mpf]) -> list[mpf]:
    return [mpf(float(coefficient)) for coefficient in coefficients]


def fit_exp() -> None:
    edge = mp.log(2) / 2 * mpf("1.0001")

    def target(r: mpf) -> mpf:
        return mp.nsum(lambda k: r**k / mp.factorial(k + 2), [0, 40]) if r else mpf(1) / 2

    fit = rounded(polynomial(target, -edge, edge, 9))
    error = largest_error(mp.exp, lambda r: 1 + r + r * r * horner(fit, r), -edge, edge)
    show("EXP", "exp(r) = 1 + r + r^2 p(r) for |r| <= ln(2) / 2.", fit, error)


def fit_log() -> None:
    edge = ((mp.sqrt(2) - 1) / (mp.sqrt(2) + 1)) ** 2 * mpf("1.0001")

    def target(z: mpf) -> mpf:
        return 2 * mp.nsum(lambda k: z**k / (2 * k + 3), [0, 60])

    fit = rounded(polynomial(target, mpf(0), edge, 7))
    error = largest_error(lambda z: 2 + z * target(z), lambda z: 2 + z * horner(fit, z), mpf("1e-30"), edge)
    show(
        "LOG",
        "log((1 + s) / (1 - s)) = 2 s + s^3 p(s^2), (1 + s) / (1 - s) in [sqrt(1/2), sqrt(2)].",
        fit,
        error,
    )


def fit_tail() -> None:
    edge = (mpf("38.6") - 5) / (mpf("38.6") + 5)

    def target(t: mpf) -> mpf:
        a = 5 * (1 + t) / (1 - t)
        return (a + 5) * mp.erfc(a / mp.sqrt(2)) / 2 * mp.exp(a * a / 2)

    fit = rounded(polynomial(target, mpf(-1), edge, 20))
    error = largest_error(target, lambda t: horner(fit, t), mpf(-1), edge)
    show("TAIL", "(a + 5) Phi(-a) exp(a^2 / 2) = p((a - 5) / (a + 5)) for 0 <= a <= 38.6.", fit, error)


def quantile(p: mpf) -> mpf:
    """x with Phi(-x) = p, for 0 < p <= 1/2, by Newton's method on log Phi."""
    s = mp.sqrt(-2 * mp.log(p))
    x = s - (mp.log(2 * mp.pi * s * s) / (2 * s) if p < 0.01 else 0)
    for _ in range(200):
        tail = mp.erfc(x / mp.sqrt(2)) / 2
        step = mp.log(tail / p) * tail / mp.npdf(x)
        x += step
        if abs(step) < mpf(10) ** -60:
            break
    return x


def quantile_over_q(z: mpf) -> mpf:
    q = mp.sqrt(mpf("0.425") ** 2 - z)
    return quantile(mpf("0.5") - q) / q if q > mpf("1e-20") else mp.sqrt(2 * mp.pi)


def fit_quantile() -> None:
    """Rational fits in the three regions of Wichura, Algorithm AS 241 (Applied Statistics, 1988)."""
    pieces: list[tuple[str, str, Function, mpf, mpf]] = [
        (
            "CENTRE",
            "Quantile of 1/2 + q over q, by z = 0.425^2 - q^2 >= 0",
            quantile_over_q,
            mpf(0),
            mpf("0.425") ** 2,
        ),
        (
            "SIDE",
            "Quantile of 1 - p by z = sqrt(-log p) - 1.6, p >= exp(-25)",
            lambda z: quantile(mp.exp(-((z + mpf("1.6")) ** 2))),
            mpf("-0.01"),
            mpf("3.41"),
        ),
        (
            "FAR",
            "Quantile of 1 - p by z = sqrt(-log p) - 5 >= 0",
            lambda z: quantile(mp.exp(-((z + 5) ** 2))),
            mpf("-0.01"),
            mpf("22.4"),
        ),
    ]
    for name, comment, target, low, high in pieces:
        above, below = (rounded(part) for part in rational(target, low, high, 8))

        def fit(z: mpf, above: list[mpf] = above, below: list[mpf] = below) -> mpf:
            return horner(above, z) / horner(below, z)

        error = largest_error(target, fit, low, high)
        show(f"{name}_ABOVE", f"{comment}: numerator.", above, error)
        show(f"{name}_BELOW", f"{comment}: denominator.", below, error)


if __name__ == "__main__":
    print('"""Coefficients for mathematics.py, lowest power first; printed by benchmarks/fit_polynomials.py."""')
    fit_exp()
    fit_log()
    fit_tail()
    fit_quantile()
