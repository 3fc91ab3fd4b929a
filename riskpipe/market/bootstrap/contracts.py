"""The standard credit default swap (ISDA 2009 and 2015) that a spread quotes, and what its legs are worth on curves.

Both models are those of `riskpipe.products.credit_models`, for one contract under many curves in place of many trades.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.bootstrap.equations import Grid
from riskpipe.market.calendars import add_business_days, adjust
from riskpipe.market.daycounts import year_fraction
from riskpipe.market.labels import Labels
from riskpipe.market.schedule_terms import Adjustment
from riskpipe.market.schedules import schedule

Days = NDArray[np.int32]
Matrix = NDArray[Any]
"""float64 or, for derivatives by a complex step, complex128[..., columns]."""

SETTLED_AFTER: Final = 3
"""Business days after the trade, when accrued premium is handed back."""
_LONGEST_PERIOD = 400
_HALF_DAY = 0.5
_SMALL = 1e-4


class CreditTerms(Struct, frozen=True):
    """Of the quoted swaps; by default the standard contract's.

    :param discount_curve: its name; `interpolation` and `extrapolation` are its own.
    :param settlement_days: from as_of to the day from whose end protection runs.
    """

    discount_curve: str
    interpolation: str
    extrapolation: str
    calendar: str
    convention: str
    settlement_days: int
    frequency: str
    day_count: str
    isda: bool


class StandardContract(Struct, frozen=True):
    """Coupons counted back from maturity, whose day earns premium too; a full first coupon, its accrual handed back.

    :param protected_from: protection runs from the end of this day to the end of `maturity`.
    :param start, end, paid: int32[k], of the coupons; the first accrues from the last coupon date up to today.
    :param years: float64[k], of each coupon's accrual.
    :param handed_back: years accrued up to and including `protected_from`, on `settled`.
    """

    protected_from: int
    maturity: int
    start: Days
    end: Days
    paid: Days
    extra: Days
    years: FloatArray
    handed_back: float
    settled: int
    terms: CreditTerms

    @property
    def last_day(self) -> int:
        """No date that the value depends on through survival is later."""
        return self.maturity if self.terms.isda else int(self.paid.max())


def standard_contract(maturity: int, as_of: int, terms: CreditTerms) -> StandardContract:
    """The contract that is quoted on a day.

    In the ISDA model a coupon whose accrual ends on the day after (the step-in date) is not part of it any more.

    :raises ValueError: nothing of it is to come.
    """
    first = as_of + terms.settlement_days
    if maturity <= first:
        raise ValueError("it matures before protection begins")
    begin = np.array([first if terms.frequency == "1T" else first - _LONGEST_PERIOD], np.int32)
    end = np.array([maturity], np.int32)
    names = (terms.frequency, terms.calendar, terms.convention, "unadjusted")
    frequency, calendar, convention, of_maturity = (Labels.constant(name, 1) for name in names)
    adjustment = Adjustment(calendar, convention, maturity=of_maturity)
    periods = schedule(begin, end, frequency, adjustment, after=first)
    extra = (np.arange(len(periods)) == len(periods) - 1).astype(np.int32)
    kept = np.arange(len(periods))
    if terms.isda:
        kept = np.flatnonzero(periods.end + extra > first + 1)
    starts, ends, extra = periods.start[kept], periods.end[kept], extra[kept]
    count = Labels.constant(terms.day_count, len(kept))
    stepped_in = np.array([max(first + 1, int(starts[0]))], np.int32)
    return StandardContract(
        protected_from=first,
        maturity=maturity,
        start=starts,
        end=ends,
        paid=adjust(ends, terms.calendar, terms.convention),
        extra=extra,
        years=year_fraction(starts, ends + extra, count),
        handed_back=float(year_fraction(starts[:1], stepped_in, count.take(np.zeros(1, np.int64)))[0]),
        settled=int(add_business_days(np.array([first], np.int32), SETTLED_AFTER, terms.calendar)[0]),
        terms=terms,
    )


class ContractLegs:
    """A contract's legs on curves with given nodes.

    :param rates, hazards: nodes of the curves.
    """

    def __init__(self, contract: StandardContract, rates: Grid, hazards: Grid) -> None:
        self._contract = contract
        self._isda = contract.terms.isda
        observed = contract.end + contract.extra - np.int32(1) if self._isda else contract.paid
        settled = np.array([contract.settled], np.int32)
        self._paid, self._settled = _Nodes(rates, contract.paid), _Nodes(rates, settled)
        self._observed = _Nodes(hazards, observed)
        first = np.int32(contract.protected_from)
        if self._isda:
            chain = _chain(contract, observed, (rates.days, hazards.days))
            self._chain = _Nodes(rates, chain), _Nodes(hazards, chain)
            self._accrued, self._growth = _accrued_in_steps(contract, observed, chain)
        else:
            begin = np.minimum(np.maximum(contract.start, first), contract.end)
            middle = (begin + (contract.end - begin) // 2).astype(np.int32)
            count = Labels.constant(contract.terms.day_count, len(middle))
            self._accrued = year_fraction(contract.start, middle + contract.extra, count)
            self._middle = _Nodes(rates, middle)
            self._steps = _Nodes(hazards, begin), _Nodes(hazards, contract.end)

    def value(self, zeros: Matrix, hazards: Matrix) -> tuple[Matrix, Matrix]:
        """Today's value of one paid on default, and of a premium of one a year, clean.

        :param zeros: [nodes of the discount curve, m]; `hazards` [nodes of the hazard curve, m].
        :return: [m] each.
        """
        survived = np.exp(-(self._paid.logarithm(zeros) + self._observed.logarithm(hazards)))
        premium = (self._contract.years[:, None] * survived).sum(axis=0)
        premium = premium - self._contract.handed_back * np.exp(-self._settled.logarithm(zeros)[0])
        protection, accrued = (self._integrals if self._isda else self._midpoints)(zeros, hazards)
        return protection, premium + accrued

    def _midpoints(self, zeros: Matrix, hazards: Matrix) -> tuple[Matrix, Matrix]:
        begin, end = (np.exp(-nodes.logarithm(hazards)) for nodes in self._steps)
        default = np.exp(-self._middle.logarithm(zeros)) * (begin - end)
        return default.sum(axis=0), (self._accrued[:, None] * default).sum(axis=0)

    def _integrals(self, zeros: Matrix, hazards: Matrix) -> tuple[Matrix, Matrix]:
        discount, survival = (nodes.logarithm(x) for nodes, x in zip(self._chain, (zeros, hazards), strict=True))
        value = np.exp(-(discount + survival))
        hazard, both = np.diff(survival, axis=0), np.diff(discount + survival, axis=0)
        small = np.abs(both) < _SMALL
        safe = np.where(small, 1.0, both)
        level = np.where(small, value[:-1] * _level_series(both), (value[:-1] - value[1:]) / safe)
        ramp = np.where(small, value[:-1] * _ramp_series(both), (level - value[1:]) / safe)
        accrued = self._accrued[:, None] * level + self._growth[:, None] * ramp
        return (hazard * level).sum(axis=0), (hazard * accrued).sum(axis=0)


class _Nodes:
    """Dates on a curve: minus the logarithm of its factor is near x[left] + far x[right]."""

    def __init__(self, grid: Grid, days: Days) -> None:
        self._left, self._right, near, far = grid.weights(days.astype(np.int64))
        self._near, self._far = near[:, None], far[:, None]

    def logarithm(self, x: Matrix) -> Matrix:
        return np.asarray(self._near * x[self._left] + self._far * x[self._right])


def _chain(contract: StandardContract, observed: Days, pillars: tuple[NDArray[np.int64], ...]) -> Days:
    """Dates between which rates, hazard rates and the coupon are constant, ascending."""
    first, last = contract.protected_from, contract.maturity
    inside = np.concatenate([*pillars, observed])
    return np.unique([first, *inside[(inside > first) & (inside < last)].tolist(), last]).astype(np.int32)


def _accrued_in_steps(contract: StandardContract, observed: Days, chain: Days) -> tuple[FloatArray, FloatArray]:
    """Years of premium that a default owes in each step of the chain: at the step's start, and growth over the step."""
    coupon = np.searchsorted(observed, chain[1:])
    a_day = contract.years / (contract.end + contract.extra - contract.start)
    since = chain[:-1] - contract.start[coupon] + 1 + _HALF_DAY
    return a_day[coupon] * since, a_day[coupon] * np.diff(chain)


def _level_series(g: Matrix) -> Matrix:
    """(1 - exp(-g)) / g for small g."""
    return 1.0 + g * (-0.5 + g * (1.0 / 6.0 + g * (-1.0 / 24.0 + g / 120.0)))


def _ramp_series(g: Matrix) -> Matrix:
    """(1 - (1 + g) exp(-g)) / g^2 for small g."""
    return 0.5 + g * (-1.0 / 3.0 + g * (0.125 - g / 30.0))
