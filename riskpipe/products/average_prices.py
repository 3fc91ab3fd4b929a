"""Averages of commodity prices over pricing days: what is fixed of them, and which forward prices make the rest."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level, Reason
from riskpipe.kernels.averages import weighted_sums
from riskpipe.market.factors import date_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import distinct
from riskpipe.products.base import RowFaults
from riskpipe.products.floating import Lacking, missing_fixings
from riskpipe.products.flows import Days, Integers
from riskpipe.products.pricing_periods import Periods, pricing_days, pricing_rule
from riskpipe.products.shared_nodes import Nodes, TradeNodes, evaluate_used
from riskpipe.products.trades import Trades

_HINT = "; is it a pricing day? The column calendar says which days are"


class PricedDays(Struct, frozen=True):
    """Distinct averages of commodity prices, and which of them k periods have.

    A day before today counts with its fixing, today with its if there is one; all others with forward prices. Pricing
    days of an average that refer to one contract are one run of days; by interpolated prices each day is one.

    :param average: int32[k], of the periods, among the m averages.
    :param count: int64[m], pricing days.
    :param fixed: float64[m], sum of the fixings; NaN where one is missing.
    :param underlying, currency: of the averages.
    :param is_contract: bool[m], forward prices are those of contracts.
    :param offsets: int64[m + 1], of the averages' days to come.
    :param day: int32[days]; `price_day` int32[days], the date of its forward price, ascending in an average.
    :param missing: fixings that are needed: underlying, day, trades.
    :param without_contract: likewise the first day for which there is no contract so late.
    :param not_contracts: likewise underlyings with a `nearby` that are no contracts.
    """

    average: NDArray[np.int32]
    count: Integers
    fixed: FloatArray
    underlying: Labels
    currency: Labels
    is_contract: NDArray[np.bool_]
    offsets: Integers
    day: Days
    price_day: Days
    missing: tuple[Lacking, ...]
    without_contract: tuple[Lacking, ...]
    not_contracts: tuple[Lacking, ...]

    @property
    def of_day(self) -> Integers:
        """int64[days]: the average of each."""
        return np.repeat(np.arange(len(self.count)), np.diff(self.offsets))

    def runs(self) -> Integers:
        """int64[runs]: the first of the days of each run."""
        new = np.ones(len(self.day), np.bool_)
        of_day = self.of_day
        new[1:] = (of_day[1:] != of_day[:-1]) | (self.price_day[1:] != self.price_day[:-1])
        return np.flatnonzero(new)


def priced_days(
    trades: Trades, model: MarketModel, underlying: Labels, periods: Periods, chosen: Integers
) -> PricedDays:
    """Averages of some of the periods, those of one commodity over the same days once.

    :param underlying: of each trade.
    :param chosen: int64[k], positions of the periods, whose trades have an underlying.
    """
    trade = periods.trade[chosen]
    numbers, number_of = np.unique(trades.numbers("nearby", 1.0), return_inverse=True)
    nearby = Labels(number_of.astype(np.int32), tuple(f"{number:.0f}" for number in numbers.tolist()))
    kind = underlying.combine(trades.labels("currency"), _joined).combine(trades.labels("calendar"), _joined)
    kind = kind.combine(pricing_rule(trades), _joined).combine(nearby, _joined)
    first, last, span = distinct(periods.first[chosen], periods.last[chosen])
    code, span_of, average = distinct(kind.codes[trade], span)
    terms = [name.split("\0") for name in kind.names]
    name, currency, calendar, rule, number = (Labels.of([term[part] for term in terms]).take(code) for part in range(5))
    offsets, day = pricing_days(first[span_of], last[span_of], rule, calendar)
    of_day = np.repeat(np.arange(len(code)), np.diff(offsets))
    fixed_name = Labels.of([_fixed_name(term[0], term[4]) for term in terms]).take(code)
    fixing = _fixings(model, fixed_name.take(of_day), day)
    past = (day < model.as_of) | ~np.isnan(fixing)
    fixed = np.bincount(of_day[past], fixing[past], len(code)).astype(np.float64)
    lacks = past & np.isnan(fixing)
    open_, left = of_day[~past], day[~past]
    nth = np.array([*(int(text) for text in number.names), 1], np.int32)[number.codes]
    quoted = model.contracts(name.take(open_), left, calendar.take(open_), nth[open_])
    is_contract = np.zeros(len(code), np.bool_)
    is_contract[open_[quoted.is_contract]] = True
    owners = _Owners(average, trade)
    return PricedDays(
        average,
        np.diff(offsets),
        fixed,
        name,
        currency,
        is_contract,
        np.concatenate((np.zeros(1, np.int64), np.cumsum(np.bincount(open_, minlength=len(code))))),
        left,
        quoted.day,
        tuple(owners.lacking(fixed_name, of_day[lacks], day[lacks])),
        tuple(owners.first_lacking(name, open_[~quoted.exists], left[~quoted.exists])),
        tuple(owners.first_lacking(name, *_later_than_prompt(model, name, nth, first[span_of]))),
    )


def _fixed_name(underlying: str, nearby: str) -> str:
    """The name of its fixings: of the second nearby contract `<underlying>.2`."""
    return underlying if nearby == "1" else f"{underlying}.{nearby}"


def _later_than_prompt(
    model: MarketModel, names: Labels, nearby: NDArray[np.int32], days: Days
) -> tuple[Integers, Days]:
    """Averages of a later contract than the prompt one, of commodities that have none, and a day of each."""
    curves = [model.conventions.commodity(name).curve for name in names.names]
    interpolated = np.array([*(curve != "contracts" for curve in curves), False], np.bool_)[names.codes]
    found = np.flatnonzero(interpolated & (nearby > 1))
    return found, days[found]


def _joined(first: str, second: str) -> str:
    return f"{first}\0{second}"


def _fixings(model: MarketModel, names: Labels, days: Days) -> FloatArray:
    """Of the days up to today; NaN for all others."""
    found = np.full(len(days), np.nan)
    due = np.flatnonzero(days <= model.as_of)
    found[due] = model.fixings(names.take(due), days[due])
    return found


class _Owners(Struct, frozen=True):
    """:param average: int32[k], of the periods; `trade` int64[k]."""

    average: NDArray[np.int32]
    trade: Integers

    def lacking(self, names: Labels, average: Integers, days: Days) -> list[Lacking]:
        """An entry for each name and day, of all the trades that have one of the averages with it.

        :param names: of the averages. :param average: int64[m]; `days` int32[m].
        """
        found: list[Lacking] = []
        for code, name in enumerate(names.names):
            mine = names.codes[average] == code
            for day in np.unique(days[mine]).tolist():
                with_it = np.isin(self.average, average[mine & (days == day)])
                found.append((name, day, np.unique(self.trade[with_it])))
        return found

    def first_lacking(self, names: Labels, average: Integers, days: Days) -> list[Lacking]:
        """An entry for each name, of its first day."""
        found: list[Lacking] = []
        for code, name in enumerate(names.names):
            mine = names.codes[average] == code
            if mine.any():
                with_it = np.isin(self.average, average[mine])
                found.append((name, int(days[mine].min()), np.unique(self.trade[with_it])))
        return found


def priced_faults(priced: PricedDays, column: str = "underlying") -> list[RowFaults]:
    """Errors of fixings that are missing and of contracts that there are not; warnings of days after the last contract.

    :param column: that names the commodity.
    """
    others = []
    for name, _, trades in priced.not_contracts:
        message = f"nearby is of contracts: market.commodities.{name}.curve is interpolated; leave it null"
        others.append(RowFaults("nearby", "contract", trades, Reason.INVALID_TRADE, message))
    for name, day, trades in priced.without_contract:
        message = (
            f"no contract of {name} (forward_price:{name}) expires late enough for pricing days from "
            f"{date_of(day).isoformat()} on: the price of the last one is taken"
        )
        others.append(RowFaults(column, "contract", trades, Reason.MISSING_MARKET_DATA, message, Level.WARNING))
    return [*missing_fixings(priced.missing, column, hint=_HINT), *others]


class AverageNodes(Struct, frozen=True):
    """Averages of prices: known + the sum of weight x forward.

    :param known: float64[m], what past fixings make of each.
    :param offsets: int64[m + 1], of the terms; `weight` float64[terms].
    :param forward: of each term.
    """

    known: FloatArray
    offsets: Integers
    weight: FloatArray
    forward: TradeNodes

    def __len__(self) -> int:
        return len(self.known)

    def evaluate(self, x: FloatArray) -> FloatArray:
        """float64[m, n_scenarios]."""
        return self._of(np.arange(len(self), dtype=np.int32), x)

    def under(self, terms: NDArray[np.int32], average: NDArray[np.int32], x: FloatArray) -> tuple[FloatArray, Days]:
        """The averages that some terms have, and for these the place among them.

        :param terms: int32[t], positions in `average` int32[k].
        """
        used = np.zeros(len(self), np.bool_)
        used[average[terms]] = True
        place = np.cumsum(used, dtype=np.int32) - np.int32(1)
        return self._of(np.flatnonzero(used).astype(np.int32), x), place[average]

    def _of(self, averages: NDArray[np.int32], x: FloatArray) -> FloatArray:
        mine = np.zeros(len(self), np.bool_)
        mine[averages] = True
        terms = np.flatnonzero(np.repeat(mine, np.diff(self.offsets))).astype(np.int32)
        forward, (position,) = evaluate_used(self.forward.nodes, terms, x, self.forward.position)
        out = np.empty((len(averages), x.shape[1]))
        weighted_sums(averages, (forward, position), (self.known, self.offsets, self.weight), out)
        return out


def average_nodes(priced: PricedDays, model: MarketModel) -> AverageNodes:
    """What the averages are under any scenario."""
    runs, of_day = priced.runs(), priced.of_day
    of_run = of_day[runs]
    days = np.diff(np.append(runs, len(of_day)))
    nodes: tuple[Nodes, NDArray[np.int32]] = model.forwards(
        priced.underlying.take(of_run), priced.currency.take(of_run), priced.price_day[runs]
    )
    return AverageNodes(
        known=priced.fixed / priced.count,
        offsets=np.searchsorted(of_run, np.arange(len(priced.count) + 1)),
        weight=days / priced.count[of_run],
        forward=TradeNodes(*nodes),
    )
