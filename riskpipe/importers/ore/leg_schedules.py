"""Schedules of ORE's legs: their dates, and whether riskpipe's own columns make the same."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
import QuantLib as ql  # noqa: N813
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.quoted_dates import CONVENTIONS, a_day, market, numbers
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date
from riskpipe.market.date_rules import FREQUENCIES
from riskpipe.market.factors import days_of
from riskpipe.products.leg_columns import LEG_COLUMNS
from riskpipe.products.leg_dates import leg_dates as riskpipe_dates
from riskpipe.products.trades import Trades

Days = NDArray[np.int64]

_TYPES: Final = {
    column.name: {"date": pa.date32(), "number": pa.float64()}.get(column.kind, pa.string()) for column in LEG_COLUMNS
}
_LONG_BEFORE: Final = 366

_RULES: Final = {
    "": ql.DateGeneration.Forward,
    "Forward": ql.DateGeneration.Forward,
    "Backward": ql.DateGeneration.Backward,
    "Zero": ql.DateGeneration.Zero,
    "ThirdWednesday": ql.DateGeneration.ThirdWednesday,
    "Twentieth": ql.DateGeneration.Twentieth,
    "TwentiethIMM": ql.DateGeneration.TwentiethIMM,
    "OldCDS": ql.DateGeneration.OldCDS,
    "CDS": ql.DateGeneration.CDS,
    "CDS2015": ql.DateGeneration.CDS2015,
}


class Dates(Struct, frozen=True):
    """A leg's schedule.

    :param days: int64[n + 1]: adjusted dates, of which each two make a period.
    :param columns: of a leg's schedule as riskpipe has it, those that say the least first; none of listed dates.
    """

    days: Days
    columns: tuple[Values, ...] = ()

    @property
    def dates(self) -> list[date]:
        return [a_day(int(day)) for day in self.days]

    def said_by(self, payment: Days, payments: Values) -> Values | None:
        """The columns that make these periods and payments; None where none do.

        :param payment: int64[n]; `payments`: the columns that say when periods are paid.
        """
        for columns in self.columns:
            for found in (columns, {**columns, **payments}):
                if found["frequency"] in FREQUENCIES and _makes(found, self.days, payment):
                    return found
        return None


def _makes(columns: Values, days: Days, payment: Days) -> bool:
    """Whether riskpipe's schedule of these columns has the same periods and payments."""
    one = pa.table([pa.array([value], _TYPES[name]) for name, value in columns.items()], names=list(columns))
    try:
        made = riskpipe_dates(Trades(one)).periods(int(days[0]) - _LONG_BEFORE)
    except ValueError:
        return False
    ends = np.append(made.start, made.end[-1:]).astype(np.int64)
    return np.array_equal(ends, days) and np.array_equal(made.payment.astype(np.int64), payment)


def leg_dates(leg: Element) -> Dates:
    """Of ScheduleData, whose rules and dates may be several.

    :raises LeftOutError: it cannot be read.
    """
    data = leg.child("ScheduleData")
    parts = [element for element in data.children if element.tag in ("Rules", "Dates")]
    if len(parts) != 1:
        raise LeftOutError("schedules of several parts are not known")
    return _by_rules(parts[0]) if parts[0].tag == "Rules" else _by_dates(parts[0])


def _by_dates(element: Element) -> Dates:
    place = market(codes.calendar(element.get("Calendar")))
    rule = CONVENTIONS[codes.convention(element.get("Convention"), "unadjusted")]
    given = [codes.a_date(child.text) for child in element.all("Dates", "Date")]
    if len(given) < 2:
        raise LeftOutError("a schedule of less than two dates")
    return Dates(np.unique(numbers([place.adjust(to_date(days_of(day)), rule) for day in given])))


def _by_rules(element: Element) -> Dates:
    start = codes.a_date(element.need("StartDate"))
    if not element.get("EndDate"):
        raise LeftOutError("a schedule without an end")
    end = codes.a_date(element.need("EndDate"))
    tenor = codes.tenor(element.need("Tenor"))
    calendar = codes.calendar(element.get("Calendar"))
    convention = codes.convention(element.get("Convention"), "unadjusted")
    last = codes.convention(element.get("TermConvention"), convention)
    rule = _RULES.get(element.get("Rule"))
    if rule is None:
        raise LeftOutError(f"schedules by the rule {element.get('Rule')} are not known")
    stubs = [codes.a_date(element.get(tag)) if element.get(tag) else None for tag in ("FirstDate", "LastDate")]
    first, next_to_last = (to_date(days_of(day)) if day is not None else ql.Date() for day in stubs)
    end_of_month = codes.flag(element.get("EndOfMonth"))
    step = codes.period(tenor)
    if step.length() == 0:
        rule = ql.DateGeneration.Zero
    dates = ql.Schedule(
        to_date(days_of(start)),
        to_date(days_of(end)),
        step,
        market(calendar),
        CONVENTIONS[convention],
        CONVENTIONS[last],
        rule,
        end_of_month,
        first,
        next_to_last,
    )
    days = np.unique(numbers(list(dates)))
    if element.get("RemoveFirstDate") or element.get("RemoveLastDate") or element.get("EndOfMonthConvention"):
        raise LeftOutError("schedules without their first or last date are not known")
    base: Values = {
        "start_date": start,
        "maturity_date": end,
        "frequency": "1T" if rule == ql.DateGeneration.Zero else codes.period_text(step),
        "calendar": calendar,
        "business_day_convention": convention,
    }
    more: Values = {
        "date_generation": "forward" if rule == ql.DateGeneration.Forward else None,
        "roll_convention": "EOM" if end_of_month else None,
        "first_regular_date": stubs[0],
        "last_regular_date": stubs[1],
        "maturity_convention": last if last != convention else None,
    }
    return Dates(days, (base, {**base, **{name: value for name, value in more.items() if value is not None}}))
