"""Odd first and last periods of floating legs whose rate is that of another index, or interpolated between two.

Source: 2006 ISDA Definitions, section 8.3 (linear interpolation).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.periods import BACK_STUB, FRONT_STUB
from riskpipe.market.conventions import OVERNIGHT, Conventions
from riskpipe.market.growths import Grown, Request, joined
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.products.base import Column, Need, RowFaults
from riskpipe.products.floating import Coupons, FloatingLeg, fixing_faults, projection_curve
from riskpipe.products.flows import Amounts, Days, Integers, merged, offsets_of
from riskpipe.products.leg_dates import LegDates
from riskpipe.products.legs import Positions, ProjectedLeg
from riskpipe.products.observations import Observation, Observations
from riskpipe.products.trades import Trades
from riskpipe.products.validation import label_mask, rows_fault

_SIDES: Final = {"front_stub": FRONT_STUB, "back_stub": BACK_STUB}
_PERIODS: Final = {"front_stub": "first", "back_stub": "last"}
_KINDS: Final = ("short", "long")
_OVER_ITS_TENOR: Final = (Observation(own_period=True),)
_LONG_BEFORE: Final = 366 * 200


def stub_columns(prefix: str = "") -> tuple[Column, ...]:
    """:param prefix: of the leg's columns, such as float_."""
    said = {
        "short": "the term index of the next shorter tenor; null: the longer one's alone",
        "long": "the term index of the next longer tenor; null: the shorter one's alone",
    }
    return tuple(
        Column(
            f"{prefix}{side}_{kind}_index", "string", f"of an odd {_PERIODS[side]} period: {said[kind]}", required=False
        )
        for side in _SIDES
        for kind in _KINDS
    )


def says_stubs(trades: Trades, prefix: str = "") -> NDArray[np.bool_]:
    """bool[n]: the odd periods have a rate of their own."""
    said = np.zeros(len(trades), np.bool_)
    for _, name in _names(prefix):
        said |= trades.labels(name).codes >= 0
    return said


class StubFlows(Struct, frozen=True):
    """Flows of odd periods, above zero where they are received.

    :param known: amounts, and k `coefficient` float64[k] times growths over `start` to `end`, int32[k].
    :param trade: int64[k], ascending. :param index: of each growth. :param payment: int32[k].
    :param faults: of fixings that are missing.
    """

    known: Amounts
    trade: Integers
    index: Labels
    start: Days
    end: Days
    payment: Days
    coefficient: FloatArray
    faults: tuple[RowFaults, ...]

    def of(self, rows: Integers) -> StubFlows:
        """The same of trades that were counted among `rows`, ascending."""
        faults = tuple(replace(fault, rows=rows[fault.rows]) for fault in self.faults)
        return replace(self, known=self.known.of(rows), trade=rows[self.trade], faults=faults)

    def requests(self, discount_curve: Labels, conventions: Conventions) -> tuple[Request, Request]:
        """What `leg` takes the positions of. :param discount_curve: of each trade."""
        curve = self.index.map(lambda name: conventions.index(name).curve)
        growth = Grown(curve, self.start, self.end, np.full(len(self.trade), -1, np.int32), joined([]))
        return growth, (discount_curve.take(self.trade), self.payment)

    def leg(self, trades: int, positions: list[Positions]) -> ProjectedLeg:
        """:param trades: their number. :param positions: of `requests`."""
        growth, payment = positions
        return ProjectedLeg(offsets_of(self.trade, trades), self.coefficient, growth, payment)


def split_stubs(
    leg: FloatingLeg, trades: Trades, model: MarketModel, prefix: str = ""
) -> tuple[FloatingLeg, StubFlows | None]:
    """The periods with the rate of the leg's index, and what the others pay, if there are any.

    :param trades: that have the columns of `stub_columns`, those of the leg.
    """
    said = says_stubs(trades, prefix)
    if not said.any():
        return leg, None
    parts = [_side(leg, trades, side, model, prefix) for side in _SIDES]
    own = np.logical_and.reduce([~mask for mask, _ in parts])
    return leg.where(own), _joined([flows for _, flows in parts])


def _side(
    leg: FloatingLeg, trades: Trades, side: str, model: MarketModel, prefix: str
) -> tuple[NDArray[np.bool_], StubFlows]:
    """Which of the periods they are, bool[periods], and their flows."""
    columns = [name for of, name in _names(prefix) if of == side]
    every = [trades.labels(name) for name in columns]
    # Without a tenor it fails the trade before it is priced.
    given = [labels.where(label_mask(labels, lambda name: _has_tenor(name, model.conventions))) for labels in every]
    has = np.logical_or.reduce([labels.codes >= 0 for labels in given])
    mask = (leg.periods.stub == _SIDES[side]) & has[leg.periods.trades]
    some = leg.where(mask)
    observed = Observations(np.zeros(len(trades), np.int32), _OVER_ITS_TENOR)
    rates = [Coupons(replace(some, index=labels, observed=observed, fixing_calendar=None), model) for labels in given]
    gearing = np.ones(len(some.notional)) if some.gearing is None else some.gearing
    weights = _weights(rates, [labels.codes[some.periods.trades] >= 0 for labels in given])
    known = np.sum([weight * of.known for weight, of in zip(weights, rates, strict=True)], axis=0)
    amount = some.notional * (gearing * known + some.spread * rates[0].tau)
    growths = [
        of.growth(some.notional * gearing * weight * of.weight) for weight, of in zip(weights, rates, strict=True)
    ]
    grown = [growth.where(growth.coefficient != 0.0) for growth in growths]
    names = [name for growth, of in zip(grown, given, strict=True) for name in of.take(growth.trade).to_list()]
    faults = [fault for name, of in zip(columns, rates, strict=True) for fault in fixing_faults(of, name)]
    return mask, StubFlows(
        Amounts(some.periods.trades, some.periods.payment, amount),
        np.concatenate([growth.trade for growth in grown]),
        Labels.of(names),
        np.concatenate([growth.start for growth in grown]),
        np.concatenate([growth.end for growth in grown]),
        np.concatenate([growth.payment for growth in grown]),
        np.concatenate([growth.coefficient for growth in grown]),
        tuple(faults),
    )


def _weights(rates: list[Coupons], given: list[NDArray[np.bool_]]) -> tuple[FloatArray, FloatArray]:
    """Of the shorter and of the longer rate, float64[k]: by the days from their ends to the period's.

    :param given: bool[k], the trade has the index.
    """
    short, long = rates
    first, last = short.end.astype(np.float64), long.end.astype(np.float64)
    end = short.periods.end.astype(np.float64)
    share = np.divide(end - first, last - first, out=np.zeros(len(end)), where=last != first)
    share = np.where(given[0], np.where(given[1], share, 0.0), 1.0)
    return 1.0 - share, share


def _joined(parts: list[StubFlows]) -> StubFlows:
    trade = np.concatenate([part.trade for part in parts])
    order = np.argsort(trade, kind="stable")
    names = [name for part in parts for name in part.index.to_list()]
    start, end, payment, coefficient = (
        np.concatenate([getattr(part, name) for part in parts])[order]
        for name in ("start", "end", "payment", "coefficient")
    )
    faults = tuple(fault for part in parts for fault in part.faults)
    known = merged([part.known for part in parts])
    return StubFlows(known, trade[order], Labels.of(names).take(order), start, end, payment, coefficient, faults)


def stub_needs(trades: Trades, conventions: Conventions, prefix: str = "") -> Iterator[Need]:
    """The curves that the rates of odd periods are projected from."""
    if says_stubs(trades, prefix).any():
        for _, name in _names(prefix):
            yield Need("projection", ("zero_rate",), projection_curve(trades, conventions, name))


def stub_faults(
    trades: Trades, dates: LegDates, floating: Labels, conventions: Conventions, prefix: str = ""
) -> list[RowFaults]:
    """Indices that are no term rates or whose tenor is not known; no odd period that they would be of.

    :param floating: the index of each leg.
    """
    said = np.flatnonzero(says_stubs(trades, prefix))
    if not said.size:
        return []
    overnight = label_mask(floating, lambda name: conventions.index(name).overnight)
    periods = dates.take(said).periods(-_LONG_BEFORE)
    faults: list[RowFaults] = []
    for side, name in _names(prefix):
        index, odd = trades.labels(name), np.zeros(len(trades), np.bool_)
        odd[said[periods.trades[periods.stub == _SIDES[side]]]] = True
        given, unknown = index.codes >= 0, label_mask(index, lambda name: not _has_tenor(name, conventions))
        tenor = f"{name} is no term index with a tenor in months: name that by market.curves.<CURVE>.index_tenor"
        faults += [
            *rows_fault(name, "kind_of_index", given & overnight, f"{name} is of legs on term rates (market.indices)"),
            *rows_fault(name, "index_tenor", unknown, tenor),
            *rows_fault(name, "odd_period", given & ~odd, f"{name}: the schedule has no odd {_PERIODS[side]} period"),
        ]
    return faults


def _names(prefix: str) -> Iterator[tuple[str, str]]:
    """Sides and columns."""
    yield from ((side, f"{prefix}{side}_{kind}_index") for side in _SIDES for kind in _KINDS)


def _has_tenor(name: str, conventions: Conventions) -> bool:
    index = conventions.index(name)
    return not index.overnight and conventions.index_tenor(index.curve) != OVERNIGHT
