"""Option on the average price of an equity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.arguments import NodeValues
from riskpipe.kernels.asian import asian_options, escrowed_fixings, shares
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.nodes import PaidForwardNodes
from riskpipe.products.base import COMMON_COLUMNS, Column, Prepared, RowFaults
from riskpipe.products.fixing_dates import FIXING_FREQUENCIES, fixing_counts, fixing_dates
from riskpipe.products.shared_nodes import TradeNodes
from riskpipe.products.trades import Trades
from riskpipe.products.validation import out_of_order, rows_fault
from riskpipe.products.vanilla import (
    OPTION_TYPE,
    UnderlyingOption,
    VanillaOptions,
    prepare_on_underlying,
)

_NOTHING = np.empty((0, 0))
# Measured: of arithmetic averages seven passes over the fixings, of geometric ones a logarithm each.
_WEIGHT, _ARITHMETIC_WEIGHT, _GEOMETRIC_WEIGHT = 2.0, 0.45, 0.06


class EquityAsianOption(UnderlyingOption):
    """Option on the average of the spots on fixing dates, paid on the expiry date.

    The volatility is the constant one of the strike to the expiry date. Geometric averages are exact (Kemna and Vorst
    1990); arithmetic ones are conditioned on the geometric one (Curran 1994; Rogers and Shi 1995), the variance that is
    left included to second order: within 1e-6 of the spot where the deviation to expiry is 0.3. With discrete dividends
    arithmetic averages are of the escrowed model; geometric ones take each fixing as lognormal about its forward.

    Fixings are on the expiry date and a whole number of periods before it, not before `fixing_start`; `1D` are
    weekdays. Those before `as_of` are past: `fixings_done` says how many and `running_average` gives their average. The
    fixing of `as_of` is past as well if `fixings_done` counts it, else it is the spot.
    """

    name = "equity_asian_option"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("underlying", "string", "name of the spot, forwards and volatility surface"),
        Column("currency", "string", "of the underlying and of the strike"),
        Column("quantity", "number", "units of the underlying; negative when short"),
        OPTION_TYPE,
        Column("strike", "number", "a unit, in the currency", rule="positive"),
        Column("expiry_date", "date", "the last fixing, and when it pays"),
        Column("averaging", "string", "of the fixings", choices=("arithmetic", "geometric")),
        Column("fixing_start", "date", "no fixing is before it"),
        Column("fixing_frequency", "string", "between fixings, backwards from expiry", choices=FIXING_FREQUENCIES),
        Column(
            "fixings_done",
            "number",
            "fixings that are past; unless given, those before today",
            required=False,
            observed=True,
        ),
        Column("running_average", "number", "of the past fixings, where there are any", required=False, observed=True),
    )

    def validate(self, trades: Trades, as_of: int) -> list[RowFaults]:
        before, today = _past_fixings(trades, as_of)
        given = trades.numbers("fixings_done")
        wrong = ~np.isnan(given) & (given != before) & (given != before + today)
        done, average = _done(trades, as_of), trades.numbers("running_average")
        lacking = (done > 0.0) & ~(average > 0.0)
        return [
            *super().validate(trades, as_of),
            *out_of_order(trades, "fixing_start", "expiry_date"),
            *rows_fault("fixings_done", "schedule", wrong, "fixings_done is not the number of fixings before today"),
            *rows_fault("running_average", "past_fixings", lacking, "past fixings need a running_average above zero"),
        ]

    def weight(self, trades: Trades, as_of: int) -> FloatArray:
        left = np.maximum(_counts(trades) - _past_fixings(trades, as_of)[0], 1)
        geometric = trades.is_one("averaging", "geometric")
        return np.asarray(_WEIGHT + np.where(geometric, _GEOMETRIC_WEIGHT, _ARITHMETIC_WEIGHT) * left)

    def prepare(self, trades: Trades, model: MarketModel) -> Prepared:
        underlying, currency = trades.labels("underlying"), trades.labels("currency")
        expiry = trades.days("expiry_date")
        counts, done = _counts(trades), _done(trades, model.as_of)
        left = counts - done.astype(np.int64)
        offset = np.concatenate(([0], np.cumsum(left)))
        trade = np.repeat(np.arange(len(trades)), left)
        before_last = offset[trade + 1] - 1 - np.arange(len(trade))
        dates = fixing_dates(expiry, trades.labels("fixing_frequency"), trade, before_last)
        of_fixing = (Labels(underlying.codes[trade], underlying.names), Labels(currency.codes[trade], currency.names))
        time = model.time(dates)
        return _AsianOptions(
            vanilla=prepare_on_underlying(trades, model),
            years=model.time(expiry),
            is_geometric=trades.is_one("averaging", "geometric"),
            fixings=counts.astype(np.float64),
            done=done,
            average=np.where(done > 0.0, trades.numbers("running_average"), 0.0),
            offset=offset,
            forward=TradeNodes(*model.forwards(*of_fixing, dates)),
            time=time,
            share=shares(offset, time),
        )


def _counts(trades: Trades) -> NDArray[np.int64]:
    return fixing_counts(trades.days("fixing_start"), trades.days("expiry_date"), trades.labels("fixing_frequency"))


def _past_fixings(trades: Trades, as_of: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Fixings before today, and fixings of today (none or one), int64[n]."""
    expiry, frequency, counts = trades.days("expiry_date"), trades.labels("fixing_frequency"), _counts(trades)
    offset = np.concatenate(([0], np.cumsum(counts)))
    trade = np.repeat(np.arange(len(trades)), counts)
    dates = fixing_dates(expiry, frequency, trade, offset[trade + 1] - 1 - np.arange(len(trade)))
    return (
        np.bincount(trade[dates < as_of], minlength=len(trades)),
        np.bincount(trade[dates == as_of], minlength=len(trades)),
    )


def _done(trades: Trades, as_of: int) -> FloatArray:
    given = trades.numbers("fixings_done")
    return np.where(np.isnan(given), _past_fixings(trades, as_of)[0].astype(np.float64), given)


@dataclass(frozen=True)
class _AsianOptions(Prepared):
    """:param offset: int64[n + 1], of the fixings to come: `forward`, `time`, `share`."""

    vanilla: VanillaOptions
    years: FloatArray
    is_geometric: NDArray[np.bool_]
    fixings: FloatArray
    done: FloatArray
    average: FloatArray
    offset: NDArray[np.int64]
    forward: TradeNodes
    time: FloatArray
    share: FloatArray

    def price(self, rows: NDArray[np.int32], x: FloatArray) -> FloatArray:
        nodes = self.forward.nodes
        if not isinstance(nodes, PaidForwardNodes):
            return self._price(rows, self._forwards(rows, x), _NOTHING, x)
        # A trade has a last fixing: it is on the expiry date, or over.
        final = nodes.last[self.forward.position][np.maximum(self.offset[rows + 1] - 1, 0)]
        escrowed = ~self.is_geometric[rows] & (final >= 0) & (self.offset[rows + 1] > self.offset[rows])
        out = np.empty((len(rows), x.shape[1]))
        for mine, escrow in ((~escrowed, False), (escrowed, True)):
            chosen = rows[mine]
            if escrow and len(chosen):
                out[mine] = self._price(chosen, *self._escrowed(nodes, chosen, x), x)
            elif len(chosen):
                out[mine] = self._price(chosen, self._forwards(chosen, x), _NOTHING, x)
        return out

    def _price(self, rows: NDArray[np.int32], forwards: NodeValues, certain: FloatArray, x: FloatArray) -> FloatArray:
        """:param certain: see `riskpipe.kernels.arguments.Averages`."""
        out, vanilla = np.empty((len(rows), x.shape[1])), self.vanilla
        discount, variances = vanilla.market.discount.under(rows, x), vanilla.market.variance.under(x)
        averages = (self.years, self.is_geometric, self.fixings, self.done, self.average, certain)
        fixings = (self.offset, self.time, self.share)
        asian_options(rows, forwards, discount, variances, vanilla.terms, averages, fixings, out)
        return out

    def _escrowed(
        self, nodes: PaidForwardNodes, rows: NDArray[np.int32], x: FloatArray
    ) -> tuple[NodeValues, FloatArray]:
        """What `escrowed_fixings` make of the fixings of trades."""
        left = self.offset[rows + 1] - self.offset[rows]
        place = np.zeros(self.offset[-1], np.int32)
        fixing = np.repeat(self.offset[rows] - np.cumsum(left) + left, left) + np.arange(left.sum())
        place[fixing] = np.arange(len(fixing), dtype=np.int32)
        last = np.full(self.offset[-1], -1, np.int32)
        ex_dates, last[fixing] = nodes.ex_dates.used(nodes.last[self.forward.position[fixing]])
        lognormal, certain = np.empty((len(fixing), x.shape[1])), np.empty((len(rows), x.shape[1]))
        escrows = ex_dates.paid(x)[2], last
        escrowed_fixings(rows, self.offset, self._forwards(rows, x), escrows, self.fixings, lognormal, certain)
        return (lognormal, place), certain

    def why_not(self, rows: NDArray[np.int32], x: FloatArray) -> list[str]:
        return self.vanilla.why_not(rows, x)

    def _forwards(self, rows: NDArray[np.int32], x: FloatArray) -> NodeValues:
        mine = np.zeros(len(self.offset) - 1, np.bool_)
        mine[rows] = True
        return self.forward.under(np.flatnonzero(np.repeat(mine, np.diff(self.offset))).astype(np.int32), x)
