"""When the periods of legs begin, end and are paid: what trades say of it beside frequency, calendar and convention.

The columns are optional, and the same for all products; where a trade has two legs, each has its own, by a prefix.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.market.accruals import Accrual
from riskpipe.market.calendars import adjust
from riskpipe.market.date_rules import CONVENTIONS
from riskpipe.market.labels import Labels
from riskpipe.market.schedule_terms import Adjustment, Payments, Rolls
from riskpipe.market.schedules import LONGEST_ADJUSTMENT, Schedule, schedule
from riskpipe.products.base import Column
from riskpipe.products.trades import Trades

Days = NDArray[np.int32]
Integers = NDArray[np.int64]

LONGEST_LAG: Final = 31  # business days
_DAYS_A_LAG: Final = 2  # calendar days that a business day takes at most, on average over a lag

ROLL, GENERATION, STUB = "roll_convention", "date_generation", "stub"
FIRST, LAST = "first_regular_date", "last_regular_date"
ACCRUAL_CALENDAR, PAYMENT_CALENDAR, FIXING_CALENDAR = "accrual_calendar", "payment_calendar", "fixing_calendar"
ACCRUAL, MATURITY, PAYMENT, LAG = "accrual_convention", "maturity_convention", "payment_convention", "payment_lag"


def roll_columns(prefix: str = "") -> tuple[Column, ...]:
    """How the dates of periods are found."""
    return (
        Column(
            prefix + ROLL,
            "string",
            "EOM, IMM or a day from 1 to 31; null: the day of the date that others are counted from",
            required=False,
            identifier=True,
        ),
        _text(prefix + GENERATION, "from maturity or from the start; null: backward", ("backward", "forward")),
        _text(prefix + STUB, "the odd period where counting ends; null: short", ("short", "long")),
        Column(prefix + FIRST, "date", "end of an odd first period, before adjustment", required=False),
        Column(prefix + LAST, "date", "start of an odd last period, before adjustment", required=False),
    )


def date_columns(prefix: str = "", accrual: str = "business_day_convention") -> tuple[Column, ...]:
    """:param accrual: the convention that moves the dates of periods where the trade says nothing."""
    return (
        *roll_columns(prefix),
        _text(prefix + ACCRUAL_CALENDAR, "of the dates of periods; null: calendar"),
        _text(prefix + ACCRUAL, f"of the dates of periods; null: {accrual}", CONVENTIONS),
        _text(prefix + MATURITY, "of the last of these; null: as the others", CONVENTIONS),
        _text(prefix + PAYMENT_CALENDAR, "of payments; null: calendar"),
        _text(prefix + PAYMENT, "of payments without a lag; null: business_day_convention", CONVENTIONS),
        Column(
            prefix + LAG,
            "number",
            f"business days from a period's end to its payment, at most {LONGEST_LAG}; null: 0",
            required=False,
            rule="nonnegative",
        ),
    )


def _text(name: str, description: str, choices: tuple[str, ...] = ()) -> Column:
    return Column(name, "string", description, required=False, choices=choices)


def fixing_calendar_column(prefix: str = "") -> Column:
    return Column(
        prefix + FIXING_CALENDAR, "string", "of the fixings; null: that of the index, else calendar", required=False
    )


def fixing_calendars(trades: Trades, prefix: str = "") -> Labels | None:
    """As `FloatingLeg` has them."""
    calendars = trades.labels(prefix + FIXING_CALENDAR)
    return calendars if (calendars.codes >= 0).any() else None


class LegDates(Struct, frozen=True):
    """Of n legs.

    :param start, maturity: int32[n], before adjustment.
    :param rolls, payments: None: counted back from maturity; paid at the periods' ends.
    """

    start: Days
    maturity: Days
    frequency: Labels
    adjustment: Adjustment
    rolls: Rolls | None
    payments: Payments | None

    def take(self, rows: NDArray[np.integer]) -> LegDates:
        return LegDates(
            self.start[rows],
            self.maturity[rows],
            self.frequency.take(rows),
            self.adjustment.take(rows),
            None if self.rolls is None else self.rolls.take(rows),
            None if self.payments is None else self.payments.take(rows),
        )

    def periods(self, after: int, before: int | None = None) -> Schedule:
        """Those that are paid after a day, and begin by another."""
        made = self.periods_around(after, before)
        return made if self.payments is None else made.where(made.payment > after)

    def periods_around(self, after: int, before: int | None = None) -> Schedule:
        """Likewise, and some before them."""
        terms = (self.start, self.maturity, self.frequency, self.adjustment, self.rolls, self.payments)
        return schedule(*terms, after=after - self.reach, before=before)

    @property
    def reach(self) -> int:
        """Days, by which no period is paid later than it ends."""
        if self.payments is None:
            return 0
        lag = 0 if self.payments.lag is None else int(self.payments.lag.max(initial=0))
        return LONGEST_ADJUSTMENT + _DAYS_A_LAG * lag

    def accrual(self, day_count: Labels) -> Accrual:
        """How the periods count by a day count of each leg."""
        return Accrual(day_count, self.frequency, self.adjustment, self.maturity, self.rolls)

    def starts(self) -> Days:
        """int32[n]: the first day of the first period."""
        return adjust(self.start, self.adjustment.calendar, self.adjustment.start or self.adjustment.convention)

    def ends(self) -> Days:
        """int32[n]: the last day of the last period."""
        return adjust(self.maturity, self.adjustment.calendar, self.adjustment.maturity or self.adjustment.convention)

    def exchanges(self, days: Days, offsets: Integers | None = None) -> Days:
        """int32[k]: when notionals are exchanged at starts or ends of periods: as payments are, without their lag.

        :param days: int32[k], as they were adjusted. :param offsets: as `Schedule` has them; None: one a leg.
        """
        return days if self.payments is None else self.payments.without_lag().days(days, offsets)

    def last_payments(self) -> Days:
        """int32[n]: when what falls due at maturity is paid."""
        end = self.ends()
        return end if self.payments is None else self.payments.days(end)


def says_dates(trades: Trades, prefix: str = "") -> bool:
    """Whether any trade has a word in these columns."""
    for column in date_columns(prefix):
        if not trades.has(column.name):
            continue
        if column.kind == "string":
            said = bool((trades.labels(column.name).codes >= 0).any())
        elif column.kind == "date":
            said = bool((trades.days(column.name) != Trades.NO_DATE).any())
        else:
            said = not np.isnan(trades.numbers(column.name)).all()
        if said:
            return True
    return False


def leg_dates(
    trades: Trades,
    prefix: str = "",
    start: str = "start_date",
    convention: Labels | None = None,
    accrual: Labels | None = None,
) -> LegDates:
    """As the columns say.

    :param start: the column of the first date.
    :param convention: of all dates about which the trade says nothing; None: the column business_day_convention.
    :param accrual: likewise, of the dates of periods; None: the same.
    """
    calendar = trades.labels("calendar")
    convention = trades.labels("business_day_convention") if convention is None else convention
    dates = (trades.days(start), trades.days("maturity_date"), trades.labels(f"{prefix}frequency"))
    if not says_dates(trades, prefix):
        payments = None if accrual is None else Payments(calendar, convention)
        return LegDates(*dates, Adjustment(calendar, accrual or convention), None, payments)

    def labels(name: str, otherwise: Labels) -> Labels:
        return trades.labels(prefix + name).otherwise(otherwise)

    of_periods = labels(ACCRUAL, accrual or convention)
    adjustment = Adjustment(labels(ACCRUAL_CALENDAR, calendar), of_periods, maturity=labels(MATURITY, of_periods))
    lag = np.clip(trades.numbers(prefix + LAG, 0.0), 0, LONGEST_LAG).astype(np.int64)
    payments = Payments(labels(PAYMENT_CALENDAR, calendar), labels(PAYMENT, convention), lag)
    return LegDates(*dates, adjustment, rolls_of(trades, prefix), payments)


def rolls_of(trades: Trades, prefix: str = "") -> Rolls:
    """As `roll_columns` say."""
    return Rolls(
        trades.labels(prefix + ROLL),
        trades.is_one(prefix + GENERATION, "forward"),
        trades.is_one(prefix + STUB, "long"),
        trades.days(prefix + FIRST),
        trades.days(prefix + LAST),
    )
