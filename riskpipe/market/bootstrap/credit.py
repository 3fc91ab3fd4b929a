"""Hazard rates from spreads of credit default swaps, on zero curves that are there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray

from riskpipe.market.bootstrap.equations import triangular_solve
from riskpipe.market.bootstrap.quantlib import (
    BUSINESS_DAY_CONVENTIONS,
    DAY_COUNTERS,
    FREQUENCIES,
    TIME,
    to_date,
    to_days,
    to_period,
    valued_at,
    zero_curve,
)
from riskpipe.market.bootstrap.quotes import (
    BootstrapError,
    CurvePoints,
    Quote,
    QuotedCurve,
    derived_rows,
    explained,
    quoted_curves,
    refuse_same_pillars,
    zero_points,
)
from riskpipe.market.calendars import quantlib_calendar
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import Derivation, DerivedGroup, GroupName, with_points, without_groups
from riskpipe.market.factors import MarketFault, fault

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

RECOVERY: Final = 0.4
"""Of a name without a recovery of its own, as bonds have it."""
_ACCURACY = 1e-15
_REPRICED = 1e-11
_BUMP = 1e-5
_CDS = ql.DateGeneration.CDS2015


@dataclass(frozen=True)
class CreditTerms:
    """Of the quoted swaps; by default the standard contract's (ISDA, 2009 and 2015)."""

    discount_curve: str
    interpolation: str
    calendar: Any
    convention: Any
    settlement_days: int
    frequency: Any
    day_counter: Any
    isda: bool


def credit_terms(name: str, discount_curve: str, conventions: Conventions) -> CreditTerms:
    own = conventions.curve(name)
    return CreditTerms(
        discount_curve=discount_curve,
        interpolation=conventions.interpolation(discount_curve),
        calendar=quantlib_calendar(own.calendar or "weekends"),
        convention=BUSINESS_DAY_CONVENTIONS[own.business_day_convention or "following"],
        settlement_days=own.settlement_days or 0,
        frequency=FREQUENCIES[own.fixed_frequency or "3M"],
        day_counter=DAY_COUNTERS[own.fixed_day_count or "ACT/360"],
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
        self._as_of, self._terms, self._discount = as_of, terms, discount
        self._recovery_id, self._recovery = recovery
        self._yields = ql.RelinkableYieldTermStructureHandle()
        self._hazards = ql.RelinkableDefaultProbabilityTermStructureHandle()
        with valued_at(as_of):
            self._yields.linkTo(zero_curve(as_of, discount.days, discount.value, terms.interpolation))
            made = [(self._helper(quote, quote.value, self._recovery), quote) for quote in curve.quotes]
            made.sort(key=lambda pair: pair[0].pillarDate())
            self.quotes = tuple(quote for _, quote in made)
            self.days = to_days([helper.pillarDate() for helper, _ in made])
            self._swaps = [self._swap(quote) for quote in self.quotes]
        refuse_same_pillars(self.days, self.quotes)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Ids of the quotes, by pillar, of the discount curve's points, and of the recovery where it has one."""
        quotes = tuple(quote.factor for quote in self.quotes)
        return quotes + self._discount.ids + ((self._recovery_id,) if self._recovery_id else ())

    @property
    def levels(self) -> Vector:
        """Today's, of the inputs."""
        quotes = [quote.value for quote in self.quotes]
        recovery = [self._recovery] if self._recovery_id else []
        return np.array([*quotes, *self._discount.value.tolist(), *recovery])

    def solve(self, levels: Vector) -> Vector:
        """Hazard rates to the pillars, by QuantLib's PiecewiseDefaultCurve.

        :param levels: float64[inputs].
        :raises BootstrapError: there are none.
        """
        size = len(self.quotes)
        with valued_at(self._as_of):
            recovery = self._set(levels)
            helpers = [self._helper(*pair, recovery) for pair in zip(self.quotes, levels[:size].tolist(), strict=True)]
            curve = ql.PiecewiseFlatHazardRate(to_date(self._as_of), helpers, TIME, ql.IterativeBootstrap(_ACCURACY))
            try:
                survival = np.array([curve.survivalProbability(helper.pillarDate()) for helper in helpers])
            except RuntimeError as error:
                raise explained(str(error), self.quotes, "hazard rate") from error
            hazards = -np.log(survival) / (self.days - self._as_of) * 365.0
            off = self._spreads(hazards, recovery) - levels[:size]
        for quote, by in zip(self.quotes, off, strict=True):
            if not abs(by) <= _REPRICED:
                raise BootstrapError("not repriced", [quote], f"the curve that it makes reprices it {by:.1e} off")
        return np.asarray(hazards)

    def slope(self, hazards: Vector, levels: Vector) -> Matrix:
        """d(hazard rates)/d(inputs) by the implicit function theorem, float64[pillars, inputs].

        Derivatives of par spreads are central differences for moves of 1e-5 in the logarithm of a factor, which are
        exact to about 1e-10 of themselves.
        """
        size, points = len(self.quotes), len(self._discount.ids)
        right = np.zeros((size, len(levels)))
        right[:, :size] = np.eye(size)
        with valued_at(self._as_of):
            recovery = self._set(levels)
            own = _differences(lambda moved: self._spreads(moved, recovery), hazards, self._steps(self.days))
            steps = np.concatenate((self._steps(self._discount.days), [_BUMP] * (len(levels) - size - points)))

            def others(moved: Vector) -> Vector:
                return self._spreads(hazards, self._set(np.concatenate((levels[:size], moved))))

            right[:, size:] = -_differences(others, levels[size:], steps)
        return triangular_solve(own, right)

    def _steps(self, days: NDArray[np.int64]) -> Vector:
        return _BUMP * 365.0 / (days - self._as_of)

    def _set(self, levels: Vector) -> float:
        """Link the discount curve's levels; the recovery."""
        first = len(self.quotes)
        values = levels[first : first + len(self._discount.ids)]
        self._yields.linkTo(zero_curve(self._as_of, self._discount.days, values, self._terms.interpolation))
        return float(levels[-1]) if self._recovery_id else self._recovery

    def _spreads(self, hazards: Vector, recovery: float) -> Vector:
        """Par spreads of the quoted swaps on given hazard rates."""
        self._hazards.linkTo(_survival_curve(self._as_of, self.days, hazards))
        if self._terms.isda:
            engine = ql.IsdaCdsEngine(self._hazards, recovery, self._yields, False)
        else:
            engine = ql.MidPointCdsEngine(self._hazards, recovery, self._yields)
        for swap in self._swaps:
            swap.setPricingEngine(engine)
        return np.array([swap.fairSpread() for swap in self._swaps])

    def _helper(self, quote: Quote, spread: float, recovery: float) -> Any:
        terms = self._terms
        try:
            return ql.SpreadCdsHelper(
                ql.QuoteHandle(ql.SimpleQuote(spread)),
                self._tenor(quote),
                terms.settlement_days,
                terms.calendar,
                terms.frequency,
                terms.convention,
                _CDS,
                terms.day_counter,
                recovery,
                self._yields,
                True,
                True,
                ql.Date(),
                terms.day_counter,
                True,
                ql.CreditDefaultSwap.ISDA if terms.isda else ql.CreditDefaultSwap.Midpoint,
            )
        except RuntimeError as error:
            raise BootstrapError("bad tenor", [quote], str(error)) from error

    def _swap(self, quote: Quote) -> Any:
        terms, today = self._terms, to_date(self._as_of)
        begin, end = today + terms.settlement_days, ql.cdsMaturity(today, self._tenor(quote), _CDS)
        following = terms.convention
        schedule = ql.Schedule(
            begin, end, ql.Period(terms.frequency), terms.calendar, following, ql.Unadjusted, _CDS, False
        )
        return ql.CreditDefaultSwap(
            ql.Protection.Buyer,
            100.0,
            0.01,
            schedule,
            following,
            terms.day_counter,
            True,
            True,
            begin,
            None,
            terms.day_counter,
            True,
            today,
        )

    @staticmethod
    def _tenor(quote: Quote) -> Any:
        period = to_period(quote.tenor)
        if period is None or not period.length():
            raise BootstrapError("bad tenor", [quote], f"the tenor {quote.tenor} is not nM or nY")
        return period


def _survival_curve(as_of: int, days: NDArray[np.int64], hazards: Vector) -> Any:
    """riskpipe's curve: log-linear survival between points."""
    integral = np.concatenate(([0.0], hazards * (days - as_of) / 365.0))
    forward = np.diff(integral) / np.diff(np.concatenate(([as_of], days))) * 365.0
    dates = [to_date(as_of), *(to_date(int(day)) for day in days)]
    return ql.HazardRateCurve(dates, [float(forward[0]), *forward.tolist()], TIME)


def _differences(function: Callable[[Vector], Vector], at: Vector, steps: Vector) -> Matrix:
    """float64[values, inputs]: central differences."""
    columns = []
    for k, step in enumerate(steps):
        up, down = at.copy(), at.copy()
        up[k] += step
        down[k] -= step
        columns.append((function(up) - function(down)) / (up[k] - down[k]))
    return np.column_stack(columns)


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
        faults.append(fault("error", "name", "given twice", [factor for factor, _ in given[0][name]], message))
        failed.add(name)
    for curve in quoted_curves(table, "cds_spread", "cds"):
        if curve.name in failed:
            continue
        try:
            with valued_at(as_of):
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
