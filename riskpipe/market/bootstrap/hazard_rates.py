"""Hazard rates from spreads of credit default swaps, on zero curves that are there already."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.bootstrap.contracts import ContractLegs, CreditTerms, StandardContract, standard_contract
from riskpipe.market.bootstrap.equations import Grid, triangular_solve
from riskpipe.market.bootstrap.quantlib import to_date, to_days, to_period
from riskpipe.market.bootstrap.quotes import (
    BootstrapError,
    CurvePoints,
    Quote,
    QuotedCurve,
    derived_rows,
    quoted_curves,
    refuse_same_pillars,
    zero_points,
)
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import Derivation, DerivedGroup, GroupName, with_points, without_groups
from riskpipe.market.factors import MarketFault, fault

RECOVERY: Final = 0.4
"""Of a name without a recovery of its own, as bonds have it."""
_ACCURACY = 1e-16
_REPRICED = 1e-11
_STEP = 1e-30
_STEPS, _SETTLED = 20, 1e-10  # what is left after a step squares with the next one
_CERTAIN = 200.0
"""Integral of a hazard rate beyond which nothing survives that a double could tell."""


def credit_terms(name: str, discount_curve: str, conventions: Conventions) -> CreditTerms:
    own = conventions.curve(name)
    return CreditTerms(
        discount_curve=discount_curve,
        interpolation=conventions.interpolation(discount_curve),
        extrapolation=conventions.extrapolation(discount_curve),
        calendar=own.calendar or "weekends",
        convention=own.business_day_convention or "following",
        settlement_days=own.settlement_days or 0,
        frequency=own.fixed_frequency or "3M",
        day_count=own.fixed_day_count or "ACT/360",
        isda=conventions.credit_model == "isda",
    )


class CreditCurve:
    """One curve of spreads and what is solved for it.

    :param recovery: level, and the id of its factor ("" where it is the default).
    :raises BootstrapError: a quote makes no sense, or two have the same pillar.
    """

    def __init__(
        self, curve: QuotedCurve, terms: CreditTerms, discount: CurvePoints, recovery: tuple[str, float], as_of: int
    ) -> None:
        self._as_of, self._discount = as_of, discount
        self._recovery_id, self._recovery = recovery
        made = [(_contract(quote, as_of, terms), quote) for quote in curve.quotes]
        made.sort(key=lambda pair: pair[0].last_day)
        self.quotes = tuple(quote for _, quote in made)
        self.days = np.array([contract.last_day for contract, _ in made], np.int64)
        refuse_same_pillars(self.days, self.quotes)
        rates = Grid(as_of, discount.days, terms.interpolation, terms.extrapolation)
        hazards = Grid(as_of, self.days, "log_linear_discount")
        self._legs = [ContractLegs(contract, rates, hazards) for contract, _ in made]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Ids of the quotes, by pillar, of the discount curve's points, and of the recovery where it has one."""
        quotes = tuple(quote.factor for quote in self.quotes)
        return quotes + self._discount.ids + ((self._recovery_id,) if self._recovery_id else ())

    @property
    def levels(self) -> FloatArray:
        """Today's, of the inputs."""
        quotes = [quote.value for quote in self.quotes]
        recovery = [self._recovery] if self._recovery_id else []
        return np.array([*quotes, *self._discount.value.tolist(), *recovery])

    def solve(self, levels: FloatArray) -> FloatArray:
        """Hazard rates to the pillars, one after the other for the rate between two pillars.

        :param levels: float64[inputs].
        :raises BootstrapError: there are none.
        """
        spreads, zeros, recovery = self._split(levels)
        years = (self.days - self._as_of) / 365.0
        hazards = np.zeros((len(spreads), 1), np.complex128)
        integral, before = 0.0, 0.0
        for k, (quote, legs, spread) in enumerate(zip(self.quotes, self._legs, spreads.tolist(), strict=True)):
            width = float(years[k]) - before

            def worth(forward: complex, k: int = k, legs: ContractLegs = legs, spread: float = spread) -> complex:
                hazards[k] = (integral + forward * width) / years[k]  # noqa: B023
                with np.errstate(all="ignore"):
                    protection, premium = legs.value(zeros[:, None], hazards)
                return complex((1.0 - recovery) * protection[0] - spread * premium[0])

            forward = _root(worth, spread / (1.0 - recovery), _CERTAIN / width, quote)
            if not abs(worth(forward)) <= _REPRICED:
                raise BootstrapError("not repriced", [quote], f"its swap is worth {worth(forward).real:.1e} on it")
            integral, before = integral + forward * width, float(years[k])
        return np.ascontiguousarray(hazards[:, 0].real)

    def slope(self, hazards: FloatArray, levels: FloatArray) -> FloatArray:
        """d(hazard rates)/d(inputs) by the implicit function theorem, float64[pillars, inputs].

        Derivatives of par spreads are by a complex step, which is exact (Squire and Trapp 1998).
        """
        _, zeros, recovery = self._split(levels)
        size, points = len(hazards), len(zeros)
        columns = size + points
        steps = 1j * _STEP * np.eye(columns)
        own, right = np.zeros((size, size)), np.zeros((size, len(levels)))
        right[:, :size] = np.eye(size)
        for k, legs in enumerate(self._legs):
            protection, premium = legs.value(zeros[:, None] + steps[size:], hazards[:, None] + steps[:size])
            spread = (1.0 - recovery) * protection / premium
            slopes = spread.imag / _STEP
            own[k], right[k, size:columns] = slopes[:size], -slopes[size:]
            if self._recovery_id:
                right[k, -1] = (protection / premium).real[0]
        return triangular_solve(own, right)

    def _split(self, levels: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """Spreads, the discount curve's levels, the recovery."""
        first, points = len(self.quotes), len(self._discount.ids)
        if not np.isfinite(levels).all():
            raise BootstrapError("not bootstrappable", self.quotes, "what they are made of is not finite")
        recovery = float(levels[-1]) if self._recovery_id else self._recovery
        if not recovery < 1.0:
            raise BootstrapError("not bootstrappable", self.quotes, f"with a recovery of {recovery:g} nothing is lost")
        return levels[:first], levels[first : first + points], recovery


def _root(worth: Callable[[complex], complex], guess: float, most: float, quote: Quote) -> float:
    """The hazard rate at which a swap is worth nothing; its value rises with it.

    By Newton's method, with the derivative by a complex step; where that leads nowhere, by Brent's (QuantLib's).

    :raises BootstrapError: it is below 0 or above `most`.
    """
    found = guess
    for _ in range(_STEPS):
        value = worth(complex(found, _STEP))
        move = value.real / (value.imag / _STEP) if value.imag else math.inf
        found -= move
        if not 0.0 < found < most:
            break
        if abs(move) <= _SETTLED * found:
            return found
    nothing = worth(0.0).real
    if abs(nothing) <= _ACCURACY:
        return 0.0
    if nothing > 0.0:
        raise _no_rate(quote, "the spread is too low: it would be negative")
    if not worth(most).real >= 0.0:
        raise _no_rate(quote, "the spread is too high: default at once does not earn it")
    try:
        return float(ql.Brent().solve(lambda rate: worth(rate).real, _ACCURACY, min(guess, 0.5 * most), 0.0, most))
    except RuntimeError as error:
        raise _no_rate(quote, str(error)) from error


def _no_rate(quote: Quote, reason: str) -> BootstrapError:
    return BootstrapError("not bootstrappable", [quote], f"no hazard rate after those before reprices it ({reason})")


def _contract(quote: Quote, as_of: int, terms: CreditTerms) -> StandardContract:
    """:raises BootstrapError: the tenor is none, or has no contract today."""
    period = to_period(quote.tenor)
    if period is None or not period.length():
        raise BootstrapError("bad tenor", [quote], f"the tenor {quote.tenor} is not nM or nY")
    try:
        maturity = ql.cdsMaturity(to_date(as_of), period, ql.DateGeneration.CDS2015)
        return standard_contract(int(to_days([maturity])[0]), as_of, terms)
    except (RuntimeError, ValueError) as error:
        raise BootstrapError("bad tenor", [quote], f"no standard contract is of {quote.tenor} ({error})") from error


def bootstrap_credit(
    table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset[GroupName]
) -> Derivation:
    """A hazard curve for every name that has spreads (`riskpipe.market.derived.Producer`)."""
    zeros = zero_points(table, as_of)
    given = _levels(table, "hazard_rate"), _levels(table, "recovery")
    groups: list[DerivedGroup] = []
    faults: list[MarketFault] = []
    failed = {name for kind, name in left_out if kind == "cds_spread"}
    twice = {curve.name for curve in quoted_curves(table, "cds_spread", "cds")} | failed
    for name in sorted(twice & given[0].keys()):
        message = f"hazard_rate:{name} is given and cds_spread:{name} too: leave one of them out"
        faults.append(fault(Level.ERROR, "name", "given twice", [factor for factor, _ in given[0][name]], message))
        failed.add(name)
    for curve in quoted_curves(table, "cds_spread", "cds"):
        if curve.name in failed:
            continue
        try:
            groups.append(_made(curve, zeros, given[1], as_of, conventions, left_out))
        except BootstrapError as error:
            faults.append(error.fault(f"hazard_rate:{curve.name}"))
            failed.add(curve.name)
    gone = frozenset(("hazard_rate", name) for name in failed)
    return Derivation(with_points(without_groups(table, gone), groups), tuple(groups), tuple(faults), gone)


def _made(
    curve: QuotedCurve,
    zeros: Mapping[str, CurvePoints],
    recoveries: Mapping[str, list[tuple[str, float]]],
    as_of: int,
    conventions: Conventions,
    left_out: frozenset[GroupName],
) -> DerivedGroup:
    name = curve.name
    discount = conventions.curve(name).discount_curve
    if discount is None and curve.currency is None:
        reason = f"they have neither a currency nor market.curves.{name}.discount_curve"
        raise BootstrapError("missing curve", curve.quotes, reason)
    discount = discount or conventions.discount_curve(str(curve.currency))
    if discount not in zeros:
        absent = ("zero_rate", discount) in left_out
        reason = "is left out for its errors" if absent else "the market lacks"
        raise BootstrapError("missing curve", curve.quotes, f"they need zero_rate:{discount}, which {reason}")
    if ("recovery", name) in left_out:
        raise BootstrapError("missing recovery", curve.quotes, f"recovery:{name} is left out for its errors")
    if conventions.interpolation(name) != "log_linear_discount":
        raise BootstrapError("interpolation", curve.quotes, "curves of spreads are log-linear in survival only")
    recovery = recoveries.get(name, [("", RECOVERY)])[0]
    terms = credit_terms(name, discount, conventions)
    solver = CreditCurve(curve, terms, zeros[discount], recovery, as_of)
    levels = solver.levels
    hazards = solver.solve(levels)
    rows = derived_rows("hazard_rate", name, curve.currency, solver.days, hazards)
    return DerivedGroup(rows, solver.inputs, solver.slope(hazards, levels), solver.solve)


def _levels(table: pa.Table, kind: str) -> dict[str, list[tuple[str, float]]]:
    """Name -> (id, level) of its points of a kind."""
    found: dict[str, list[tuple[str, float]]] = {}
    columns = [table.column(name).to_pylist() for name in ("kind", "name", "factor", "value")]
    for given, name, factor, value in zip(*columns, strict=True):
        if given == kind:
            found.setdefault(name, []).append((factor, value))
    return found
