"""Quoted swaps of a fixed rate against the average of an overnight index, with a spread."""

from __future__ import annotations

import numpy as np
import QuantLib as ql  # noqa: N813
from msgspec import Struct

from riskpipe.arrays import FloatArray
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.growing_curves import Curve, Instrument, Lookup
from riskpipe.importers.ore.indices import Index, index_of
from riskpipe.importers.ore.quote_lines import Line, Quotes
from riskpipe.importers.ore.quoted_dates import Days, Periods, fractions, market, numbers, periods, spot
from riskpipe.importers.ore.quoted_instruments import Maker, Segment
from riskpipe.market.bootstrap.quantlib import to_date


def averaged_swap(quotes: Quotes) -> Maker:
    """IR_SWAP/RATE/.../term, the rate of a swap, with BASIS_SWAP/BASIS_SPREAD/.../term on the average."""

    def make(segment: Segment, quote: Line) -> Instrument:
        convention = segment.convention("AverageOIS")
        index = index_of(convention.need("Index"))
        spread = quotes.get(_spread_quote(segment, quote.name)).value
        start = spot(segment.as_of, index.calendar, codes.period(f"{convention.need('SpotLag')}D").length())
        end = start + codes.period(quote.parts[-1])
        fixed = periods(
            start,
            end,
            codes.tenor(convention.need("FixedTenor")),
            codes.calendar(convention.need("FixedCalendar")),
            codes.convention(convention.need("FixedConvention")),
        )
        legs = periods(start, end, codes.tenor(convention.need("OnTenor")), index.calendar)
        average = _Average(legs, index, int(convention.get("RateCutoff") or 0))
        taus = fixed.fractions(codes.day_count(convention.need("FixedDayCounter")))
        lengths = legs.fractions(index.day_count)
        last = max(int(fixed.payment.max()), int(legs.payment.max()))

        def excess(lookup: Lookup) -> float:
            curve = lookup(segment.discount)
            amounts = average.coupons(lookup(segment.projection())) + spread * lengths
            return float(amounts @ curve.discount(legs.payment) / (taus @ curve.discount(fixed.payment))) - quote.value

        return Instrument(quote.name, last, excess)

    return make


def _spread_quote(segment: Segment, rate: str) -> str:
    for quote in segment.element.all("Quotes", "CompositeQuote"):
        if quote.need("RateQuote") == rate:
            return quote.need("SpreadQuote")
    raise LeftOutError(f"{rate} has no spread")


class _Average(Struct, frozen=True):
    """Coupons on the average of daily rates: their sum by the growth of the curve's logarithm (Takada 2011).

    :param cutoff: the last so many days have the rate of the day before them.
    """

    legs: Periods
    index: Index
    cutoff: int

    def coupons(self, curve: Curve) -> FloatArray:
        """Amounts without a spread."""
        kept, next_day = self._kept()
        near, far = curve.discount(kept), curve.discount(next_day)
        rates = (near / far - 1.0) / fractions(kept, next_day, self.index.day_count)
        held = rates * fractions(kept, self.legs.end, self.index.day_count)
        return np.asarray(np.log(curve.discount(self.legs.start) / near) + (held if self.cutoff else 0.0))

    def _kept(self) -> tuple[Days, Days]:
        """The day before those cut off, whose rate holds up to the end of each period, and the day after it."""
        place = market(self.index.calendar)
        ends = [to_date(int(day)) for day in self.legs.end]
        kept = [place.advance(end, -self.cutoff - 1, ql.Days) if self.cutoff else end for end in ends]
        return numbers(kept), numbers([place.advance(day, 1, ql.Days) for day in kept])
