"""What a configuration may declare as stresses, for those who need no arrays to ask."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

CurveShape = Literal["parallel", "steepen", "twist"]
CurveKind = Literal["rates", "credit", "inflation"]
VolatilityShift = Literal["relative", "absolute"]


class HistoryStress(Struct, frozen=True):
    """Moves of the past, added up over some days.

    :param first, last: days since 1970-01-01, dates of the history both: from the date before the first to the last.
    """

    name: str
    first: int
    last: int


class LadderStress(Struct, frozen=True):
    """Every shift of spots with every shift of their volatilities.

    :param underlying: a name, or a glob over names of spots and forward prices.
    :param spot: relative shifts. :param volatility: shifts, relative or absolute.
    :param separately: a ladder for each underlying; else all that match move together.
    """

    name: str
    underlying: str
    spot: tuple[float, ...]
    volatility: tuple[float, ...]
    volatility_shift: VolatilityShift
    separately: bool


class CurveStress(Struct, frozen=True):
    """A shift of the points of curves, by their time.

    :param curve: a name, or a glob over names of curves. :param shift: absolute.
    :param pivot, end: tenors; no pivot where the shape is parallel.
    """

    name: str
    curve: str
    kind: CurveKind
    shape: CurveShape
    shift: float
    pivot: str | None
    end: str


class DeclaredStresses(Struct, frozen=True):
    """All of a configuration, in its order."""

    history: tuple[HistoryStress, ...] = field(default=())
    ladders: tuple[LadderStress, ...] = field(default=())
    curves: tuple[CurveStress, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.history or self.ladders or self.curves)


NO_STRESSES = DeclaredStresses()
