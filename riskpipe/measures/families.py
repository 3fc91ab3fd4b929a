"""Sensitivities: families of bump columns and what they are reduced to.

A family bumps one subject after the other (a spot, a surface, the curves of a currency, one point); each subject takes
`width` neighbouring columns. A trade that no column of a subject touches has no row for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.conventions import Conventions
from riskpipe.market.factors import MarketFault
from riskpipe.market.snapshot import FactorGroup, MarketSnapshot
from riskpipe.measures.measure_names import QuoteBumps

VOLATILITY_KINDS = ("black_vol", "normal_vol", "fx_vol")
UNDERLYING_KINDS = ("spot", "forward_price")


class Bumps(Struct, frozen=True):
    """`bumps.*` of the configuration: spots relative, volatilities, rates and hazard rates absolute.

    :param cross_gamma: pairs of groups, each as kind:name.
    :param quotes: how curves follow one of their quotes in measures by point: to first order, or made anew.
    """

    spot: float
    volatility: float
    normal_volatility: float
    rate: float
    hazard: float
    bucketed_spot: float
    cross_gamma: tuple[tuple[str, str], ...] = ()
    quotes: QuoteBumps = "first_order"

    def of_volatility(self, kind: str) -> float:
        """The shift of volatilities of a kind."""
        return self.normal_volatility if kind == "normal_vol" else self.volatility


class Subject(Struct, frozen=True):
    """What is bumped: `levels[k]` are the shocked levels of `factors` in the subject's k-th column."""

    label: str
    factors: NDArray[np.int64]
    levels: tuple[FloatArray, ...]


class Family(ABC):
    """One set of bump columns and the measures made of it.

    :cvar version: of a family of another package, raised when its numbers change: no run mixes two. riskpipe's own go
        by riskpipe's.
    :cvar kinds: factor kinds that some subject bumps.
    :cvar central: the first two columns of a subject are up and down from today's levels.
    :cvar by_first: only a trade that depends on a subject's first factor has its numbers; else, on any of its factors.
    :cvar translated: numbers in the base currency are changes of what a trade is worth there, its exchange rate bumped
        as well: a trade that is only translated by a factor has its number, too. Else they are the numbers in the
        trade's currency at today's rate.
    :cvar held: points that are made from others stay where these are moved.
    :cvar total: how a trade's single number in `valuations` comes from its subjects: their sum, or the only one
        (numbers per unit of different spots do not add up).
    :cvar additive: whether numbers of different trades add up, in base currency, to the number of a book.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    measures: ClassVar[tuple[str, ...]]
    kinds: ClassVar[tuple[str, ...]]
    width: ClassVar[int] = 1
    central: ClassVar[bool] = False
    by_first: ClassVar[bool] = False
    translated: ClassVar[bool] = False
    held: ClassVar[bool] = False
    shift_type: ClassVar[Literal["absolute", "relative"]] = "absolute"
    total: ClassVar[Literal["sum", "only", "none"]] = "sum"
    additive: ClassVar[bool] = True
    horizon: ClassVar[int] = 0

    @property
    def is_plain(self) -> bool:
        """Whether a subject's number is the change of the value in its one column, for every trade that it touches."""
        same = type(self).reduce is Family.reduce
        return same and self.width == 1 and not (self.horizon or self.by_first)

    @abstractmethod
    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        """In the snapshot's order, whatever the portfolio needs.

        :param conventions: of the market, for what is bumped to its forwards.
        """

    def faults(self, snapshot: MarketSnapshot, bumps: Bumps) -> Iterable[MarketFault]:
        """What is asked for and is not in the market: no subject comes of it."""
        return ()

    def reduce(self, base: FloatArray, values: FloatArray, shift: float) -> Mapping[str, FloatArray]:
        """Numbers of one subject.

        :param base: float64[m], values in the base scenario.
        :param values: float64[m, width].
        :param shift: the size of the bump in units of the factor.
        """
        return {self.measures[0]: values[:, 0] - base}


def check_subject(family: Family, subject: Subject, snapshot: MarketSnapshot) -> None:
    """:raises ValueError: it does not bump what its family says."""
    factors = np.asarray(subject.factors)
    if len(subject.levels) != family.width:
        raise ValueError(f"{subject.label!r} has {len(subject.levels)} columns in place of {family.width}")
    if factors.dtype.kind not in "iu" or factors.ndim != 1 or len(np.unique(factors)) != len(factors):
        raise ValueError(f"the factors of {subject.label!r} are no array of positions, each once")
    if len(factors) and not 0 <= factors.min() <= factors.max() < len(snapshot):
        raise ValueError(f"{subject.label!r} bumps factors that the market does not have")
    if strange := {snapshot.kinds[k] for k in factors}.difference(family.kinds):
        raise ValueError(f"{subject.label!r} bumps {', '.join(sorted(strange))}, which are not among its `kinds`")
    for levels in subject.levels:
        if np.shape(levels) != factors.shape or not np.isfinite(levels).all():
            raise ValueError(f"the levels of {subject.label!r} are not one finite number for each of its factors")


def groups_of(snapshot: MarketSnapshot, kinds: tuple[str, ...]) -> Iterator[FactorGroup]:
    """In the snapshot's order."""
    return (group for group in snapshot.groups if group.kind in kinds)


def factors_of(group: FactorGroup) -> NDArray[np.int64]:
    """All points of a group."""
    return np.arange(group.start, group.stop, dtype=np.int64)


def volatilities_of(snapshot: MarketSnapshot, group: FactorGroup) -> NDArray[np.int64]:
    """Of a surface, without its risk reversals and butterflies."""
    factors = factors_of(group)
    return factors[[snapshot.kind_of_factor[k].positive for k in factors]]


def reference_price(levels: FloatArray) -> float:
    """What a relative shift of a spot or of a curve of forward prices is relative to: its first price.

    Where one of them is zero or negative, the largest in magnitude; one, where all are zero.
    """
    if levels.min() > 0.0:
        return float(levels[0])
    return float(np.abs(levels).max()) or 1.0


class SpotFamily(Family):
    """delta and gamma by central differences, per unit of a spot (or of a parallel move of a forward curve).

    delta = (v(S+h) - v(S-h)) / 2h, gamma = (v(S+h) - 2 v(S) + v(S-h)) / h^2.
    """

    name = "spot"
    measures = ("delta", "gamma")
    kinds = UNDERLYING_KINDS
    width = 2
    central = True
    shift_type = "relative"
    total = "only"
    additive = False

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        for group in groups_of(snapshot, self.kinds):
            factors = factors_of(group)
            levels = snapshot.x0[factors]
            step = bumps.spot * reference_price(levels)
            yield Subject(f"{group.kind}:{group.name}", factors, (levels + step, levels - step))

    def reduce(self, base: FloatArray, values: FloatArray, shift: float) -> Mapping[str, FloatArray]:
        up, down = values[:, 0], values[:, 1]
        return {
            "delta": (up - down) / (2.0 * shift),
            "gamma": ((up - base) - (base - down)) / (shift * shift),
        }


class VegaFamily(Family):
    """Change for +1 vol point, or +1 bp of a normal volatility, on a whole surface: on its volatilities, not on risk
    reversals and butterflies.
    """

    name = "vega"
    measures = ("vega",)
    kinds = VOLATILITY_KINDS

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        for group in groups_of(snapshot, self.kinds):
            factors = volatilities_of(snapshot, group)
            bumped = snapshot.x0[factors] + bumps.of_volatility(group.kind)
            yield Subject(f"{group.kind}:{group.name}", factors, (bumped,))


class Dv01Family(Family):
    """Change for +1 bp on every zero rate of a currency."""

    name = "dv01"
    measures = ("dv01",)
    kinds = ("zero_rate",)

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        by_currency: dict[str, list[NDArray[np.int64]]] = {}
        for group in groups_of(snapshot, self.kinds):
            by_currency.setdefault(group.currency or group.name, []).append(factors_of(group))
        for currency, parts in sorted(by_currency.items()):
            factors = np.concatenate(parts)
            yield Subject(f"zero_rate:{currency}", factors, (snapshot.x0[factors] + bumps.rate,))


class Cs01Family(Family):
    """Change for +1 bp on every hazard rate of a credit curve."""

    name = "cs01"
    measures = ("cs01",)
    kinds = ("hazard_rate",)

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        for group in groups_of(snapshot, self.kinds):
            factors = factors_of(group)
            yield Subject(f"{group.kind}:{group.name}", factors, (snapshot.x0[factors] + bumps.hazard,))


class ThetaFamily(Family):
    """Change over one calendar day, market unchanged; what is paid within the day counts as received."""

    name = "theta"
    measures = ("theta",)
    kinds = ()
    horizon = 1

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        yield Subject("time", np.empty(0, np.int64), (np.empty(0),))


class BucketedDeltaFamily(Family):
    """Change for +1 bp on one point of a rate or hazard curve, and for +1 % of one spot or forward price.

    Negative prices move upwards by 1 % of their magnitude. The spot that translates a trade's currency into the base
    currency is one of its points.

    Of a curve that is made from quotes the points are the quotes.
    """

    name = "bucketed_delta"
    measures = ("bucketed_delta",)
    kinds = ("zero_rate", "par_rate", "hazard_rate", "cds_spread", *UNDERLYING_KINDS)
    translated = True
    total = "none"

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        absolute = {
            "zero_rate": bumps.rate,
            "par_rate": bumps.rate,
            "hazard_rate": bumps.hazard,
            "cds_spread": bumps.hazard,
        }
        ids = snapshot.factors.column("factor")
        for group in groups_of(snapshot, self.kinds):
            for factor in range(group.start, group.stop):
                level = snapshot.x0[factor : factor + 1]
                # A price of zero moves as the others of its curve.
                size = abs(float(level[0])) or reference_price(snapshot.x0[group.start : group.stop])
                step = absolute.get(group.kind, bumps.bucketed_spot * size)
                yield Subject(ids[factor].as_py(), np.array([factor]), (level + step,))


class BucketedVegaFamily(Family):
    """Change for +1 vol point, or +1 bp of a normal volatility, on one point of a surface."""

    name = "bucketed_vega"
    measures = ("bucketed_vega",)
    kinds = VOLATILITY_KINDS
    total = "none"

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        ids = snapshot.factors.column("factor")
        for group in groups_of(snapshot, self.kinds):
            for factor in range(group.start, group.stop):
                level = snapshot.x0[factor : factor + 1] + bumps.of_volatility(group.kind)
                yield Subject(ids[factor].as_py(), np.array([factor]), (level,))


class VolgaFamily(Family):
    """Change of vega for its own bump on a whole surface, vega itself being a change: v(s+2h) - 2 v(s+h) + v(s).

    Forward, as vega is, so that no volatility is bumped below zero.
    """

    name = "volga"
    measures = ("volga",)
    kinds = VOLATILITY_KINDS
    width = 2

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        for group in groups_of(snapshot, self.kinds):
            factors = volatilities_of(snapshot, group)
            step = bumps.of_volatility(group.kind)
            once = snapshot.x0[factors] + step
            yield Subject(f"{group.kind}:{group.name}", factors, (once, once + step))

    def reduce(self, base: FloatArray, values: FloatArray, shift: float) -> Mapping[str, FloatArray]:
        once, twice = values[:, 0], values[:, 1]
        return {"volga": (twice - once) - (once - base)}


class VannaFamily(Family):
    """Change of delta for vega's bump on the underlying's whole surface, delta as `SpotFamily` has it.

    Of underlyings that have a surface of their name. Labelled by the underlying, as delta is. A trade that the surface
    moves and the underlying does not has no delta to it that could change (a quanto option, and the pair's).
    """

    name = "vanna"
    measures = ("vanna",)
    kinds = (*UNDERLYING_KINDS, *VOLATILITY_KINDS)
    width = 4
    central = True
    by_first = True
    shift_type = "relative"
    total = "only"
    additive = False

    def subjects(self, snapshot: MarketSnapshot, bumps: Bumps, conventions: Conventions) -> Iterator[Subject]:
        surfaces: dict[str, list[NDArray[np.int64]]] = {}
        steps: dict[str, list[FloatArray]] = {}
        for group in groups_of(snapshot, VOLATILITY_KINDS):
            factors = volatilities_of(snapshot, group)
            surfaces.setdefault(group.name, []).append(factors)
            steps.setdefault(group.name, []).append(np.full(len(factors), bumps.of_volatility(group.kind)))
        for group in groups_of(snapshot, UNDERLYING_KINDS):
            if group.name not in surfaces:
                continue
            prices, vols = factors_of(group), np.concatenate(surfaces[group.name])
            level, vol = snapshot.x0[prices], snapshot.x0[vols]
            step, bumped = bumps.spot * reference_price(level), vol + np.concatenate(steps[group.name])
            columns = ((level + step, bumped), (level - step, bumped), (level + step, vol), (level - step, vol))
            yield Subject(
                f"{group.kind}:{group.name}",
                np.concatenate([prices, vols]),
                tuple(np.concatenate(column) for column in columns),
            )

    def reduce(self, base: FloatArray, values: FloatArray, shift: float) -> Mapping[str, FloatArray]:
        bumped, today = values[:, 0] - values[:, 1], values[:, 2] - values[:, 3]
        return {"vanna": (bumped - today) / (2.0 * shift)}
