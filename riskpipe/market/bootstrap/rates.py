"""Zero curves from par rates, those first that others are built on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from msgspec.structs import replace

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.bootstrap.equations import Equation, Grid, triangular_solve
from riskpipe.market.bootstrap.instruments import Instruments, needs
from riskpipe.market.bootstrap.quantlib import TIME, to_date, to_days, valued_at, zero_curve
from riskpipe.market.bootstrap.quotes import (
    BootstrapError,
    CurvePoints,
    Quote,
    QuotedCurve,
    begun,
    derived_rows,
    explained,
    quoted_curves,
    refuse_same_pillars,
    zero_points,
)
from riskpipe.market.bootstrap.terms import Terms, terms_of
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import Derivation, DerivedGroup, GroupName, with_points, without_groups
from riskpipe.market.factors import MarketFault, fault

_ACCURACY = 1e-15
_REPRICED = 1e-11
_STEPS, _SETTLED = 12, 1e-13


class RateCurve:
    """One curve of par rates and what is solved for it.

    :param others: points of the curves that it is built on.
    :raises BootstrapError: a quote makes no sense, or two have the same pillar.
    """

    def __init__(
        self, curve: QuotedCurve, terms: Terms, others: Mapping[str, CurvePoints], as_of: int, conventions: Conventions
    ) -> None:
        self._as_of = as_of
        self._name = curve.name
        self._others = others
        self._conventions = conventions
        self._handles = {name: ql.RelinkableYieldTermStructureHandle() for name in others}
        with valued_at(as_of):
            self._maker = Instruments(as_of, terms, self._handles)
            made = [self._maker.make(quote) for quote in curve.quotes]
            # QuantLib numbers instruments by pillar in its messages.
            made.sort(key=lambda instrument: instrument.helper.pillarDate())
            self.days = to_days([instrument.helper.pillarDate() for instrument in made])
        self.quotes = [instrument.quote for instrument in made]
        self._pars = [instrument.par for instrument in made]
        refuse_same_pillars(self.days, self.quotes)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Ids of the quotes, by pillar, then of the other curves' points."""
        quotes = [quote.factor for quote in self.quotes]
        return (*quotes, *(factor for points in self._others.values() for factor in points.ids))

    @property
    def levels(self) -> FloatArray:
        """Today's, of the inputs."""
        quotes = [quote.value for quote in self.quotes]
        return np.array([*quotes, *(value for points in self._others.values() for value in points.value.tolist())])

    def solve(self, levels: FloatArray) -> FloatArray:
        """Zero rates at the pillars, by QuantLib's PiecewiseYieldCurve.

        :param levels: float64[inputs].
        :raises BootstrapError: there are none.
        """
        with valued_at(self._as_of):
            try:
                factors = self._factors(levels)
            except RuntimeError as error:
                raise explained(str(error), self.quotes, "discount factor") from error
        with np.errstate(all="ignore"):
            zeros = -np.log(factors) / (self.days - self._as_of) * 365.0
            self._check(zeros, levels)
        return np.asarray(zeros)

    def _factors(self, levels: FloatArray) -> FloatArray:
        """Discount factors at the pillars."""
        interpolation, extrapolation = self._conventions.interpolation, self._conventions.extrapolation
        for name, values in self._split(levels).items():
            days = self._others[name].days
            curve = zero_curve(self._as_of, days, values, interpolation(name), extrapolation(name))
            self._handles[name].linkTo(curve)
        quoted = zip(self.quotes, levels.tolist(), strict=False)
        # New helpers each time: those that live on are made anew whenever QuantLib's date changes.
        helpers = [self._maker.make(replace(quote, value=level)).helper for quote, level in quoted]
        linear = interpolation(self._name) == "linear_zero"
        kind = ql.PiecewiseLinearZero if linear else ql.PiecewiseLogLinearDiscount
        curve = kind(to_date(self._as_of), helpers, TIME, ql.IterativeBootstrap(_ACCURACY))
        return np.array([curve.discount(helper.pillarDate()) for helper in helpers])

    def _split(self, levels: FloatArray) -> dict[str, FloatArray]:
        """The other curves' levels by name."""
        found, first = {}, len(self.quotes)
        for name, points in self._others.items():
            found[name] = levels[first : first + len(points.ids)]
            first += len(points.ids)
        return found

    @cached_property
    def _equations(self) -> list[Equation]:
        conventions = self._conventions
        days = {name: points.days for name, points in self._others.items()} | {self._name: self.days}
        grids = {
            name: Grid(self._as_of, dates, conventions.interpolation(name), conventions.extrapolation(name))
            for name, dates in days.items()
        }
        return [Equation(par, grids) for par in self._pars]

    def rates(self, zeros: FloatArray, levels: FloatArray) -> FloatArray:
        """Par rates of the quoted instruments.

        :param zeros: float64[pillars]; `levels`: of the inputs, of which those of the other curves count.
        """
        known = {self._name: zeros, **self._split(levels)}
        return np.array([equation.value(known)[0] for equation in self._equations])

    def _check(self, zeros: FloatArray, levels: FloatArray) -> None:
        """QuantLib's curve must reprice the quotes by riskpipe's own cash flows."""
        for quote, off in zip(self.quotes, self.rates(zeros, levels) - levels[: len(self.quotes)], strict=True):
            if not abs(off) <= _REPRICED:
                reason = f"the curve that it makes reprices it {off:.1e} off"
                raise BootstrapError("not repriced", [quote], reason)

    def moved(self, levels: FloatArray, zeros: FloatArray) -> FloatArray:
        """`solve` from near by, by Newton's method on the same equations; QuantLib where that leads nowhere.

        :param zeros: to begin with.
        """
        others = self._split(levels)
        size = len(self.quotes)
        found = zeros.copy()
        for _ in range(_STEPS):
            values = [equation.value({self._name: found, **others}) for equation in self._equations]
            off = np.array([value for value, _ in values]) - levels[:size]
            own = np.array([slope[self._name] for _, slope in values])
            with np.errstate(all="ignore"):
                step = triangular_solve(own, off[:, None])[:, 0]
            found = found - step
            if not np.abs(step).max() < 1.0:
                break
            if np.abs(step).max() < _SETTLED:
                return found
        return self.solve(levels)

    def slope(self, zeros: FloatArray, levels: FloatArray) -> FloatArray:
        """d(zero rates)/d(inputs) by the implicit function theorem, float64[pillars, inputs]."""
        rates = {self._name: zeros, **self._split(levels)}
        size = len(self.quotes)
        own, right = np.zeros((size, size)), np.zeros((size, len(levels)))
        right[:, :size] = np.eye(size)
        for row, equation in enumerate(self._equations):
            slopes = equation.value(rates)[1]
            own[row] = slopes[self._name]
            first = size
            for name, points in self._others.items():
                right[row, first : first + len(points.ids)] = -np.asarray(slopes.get(name, 0.0))
                first += len(points.ids)
        return triangular_solve(own, right)


def bootstrap_rates(
    table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset[GroupName]
) -> Derivation:
    """A zero curve for every name that has par rates (`riskpipe.market.derived.Producer`)."""
    with valued_at(as_of):
        return RateMarket(table, as_of, conventions, left_out).derivation()


class RateMarket:
    """The curves to be made, the zero curves that there are, and what became of each.

    :ivar solved: by name, once `derivation` is there.
    """

    def __init__(self, table: pa.Table, as_of: int, conventions: Conventions, left_out: frozenset[GroupName]) -> None:
        self._table = table
        self._as_of = as_of
        self._conventions = conventions
        self._zeros = zero_points(table, as_of)
        self._left_out = {name for kind, name in left_out if kind == "zero_rate"}
        self._bad_quotes = {name for kind, name in left_out if kind == "par_rate"}
        self._curves = {curve.name: curve for curve in quoted_curves(table, "par_rate")}
        currency_of = _currencies(table)
        self._terms = {
            name: terms_of(name, curve.currency or name[:3], conventions, currency_of)
            for name, curve in self._curves.items()
        }
        self.solved: dict[str, RateCurve] = {}
        self._groups: list[DerivedGroup] = []
        self._faults: list[MarketFault] = []
        self._failed: set[str] = set()

    def derivation(self) -> Derivation:
        self._refuse_twice_given()
        self._leave_out_begun()
        # Quotes with errors of their own are gone from the table, and their curve with them.
        self._failed |= self._bad_quotes
        waiting = [name for name in self._curves if name not in self._failed]
        while waiting:
            ready = [name for name in waiting if not set(self._needs(name)) & set(waiting)]
            for name in ready or waiting:
                self._make(name, waiting)
            waiting = [name for name in waiting if ready and name not in ready]
        failed = frozenset(("zero_rate", name) for name in self._failed)
        table = with_points(without_groups(self._table, failed), self._groups)
        return Derivation(table, tuple(self._groups), tuple(self._faults), failed)

    def _refuse_twice_given(self) -> None:
        for name in sorted(self._zeros.keys() & (self._curves.keys() | self._bad_quotes)):
            message = f"zero_rate:{name} is given and par_rate:{name} too: leave one of them out"
            self._faults.append(fault(Level.ERROR, "name", "given twice", self._zeros[name].ids, message))
            self._failed.add(name)
            del self._zeros[name]

    def _leave_out_begun(self) -> None:
        """Quotes of periods that have begun are partly known, or past; the others make the curve."""
        for name, curve in self._curves.items():
            over = [quote for quote in curve.quotes if begun(quote, self._as_of)]
            left = tuple(quote for quote in curve.quotes if quote not in over)
            if not over:
                continue
            ids = [quote.factor for quote in over]
            if left:
                message = f"zero_rate:{name} is made without quotes of periods that have begun or ended"
                self._faults.append(fault(Level.WARNING, "tenor", "period has begun", ids, message))
                self._curves[name] = replace(curve, quotes=left)
            else:
                error = BootstrapError("period has begun", over, "every quoted period has begun or ended")
                self._faults.append(error.fault(f"zero_rate:{name}"))
                self._failed.add(name)

    def _needs(self, name: str) -> dict[str, Quote]:
        return needs(self._terms[name], self._curves[name].quotes)

    def _make(self, name: str, waiting: Sequence[str]) -> None:
        curve = self._curves[name]
        try:
            others = {other: self._points(other, quote, waiting) for other, quote in self._needs(name).items()}
            solver = RateCurve(curve, self._terms[name], others, self._as_of, self._conventions)
            zeros = solver.solve(solver.levels)
        except BootstrapError as error:
            self._faults.append(error.fault(f"zero_rate:{name}"))
            self._failed.add(name)
            return
        rows = derived_rows("zero_rate", name, curve.currency, solver.days, zeros)
        slope = solver.slope(zeros, solver.levels)
        self._groups.append(DerivedGroup(rows, solver.inputs, slope, lambda levels: solver.moved(levels, zeros)))
        self.solved[name] = solver
        self._zeros[name] = CurvePoints(tuple(rows.column("factor").to_pylist()), solver.days, zeros)

    def _points(self, other: str, quote: Quote, waiting: Sequence[str]) -> CurvePoints:
        if other in self._zeros and other not in self._failed:
            return self._zeros[other]
        if other in waiting and other not in self._failed:
            raise BootstrapError("circular", [quote], f"it needs zero_rate:{other}, which is built on this curve")
        absent = other in self._failed or other in self._left_out
        reason = "is left out for its errors" if absent else "the market lacks"
        raise BootstrapError("missing curve", [quote], f"it needs zero_rate:{other}, which {reason}")


def _currencies(table: pa.Table) -> dict[str, str]:
    """Currency of every curve that says it."""
    columns = [table.column(name).to_pylist() for name in ("kind", "name", "currency")]
    rows: zip[tuple[Any, Any, Any]] = zip(*columns, strict=True)
    return {name: currency for kind, name, currency in rows if kind in ("zero_rate", "par_rate") and currency}
