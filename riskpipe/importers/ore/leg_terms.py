"""What ORE's legs of all types have in common: schedules, notionals, payments, terms that change."""

from __future__ import annotations

from datetime import date
from typing import Final

import QuantLib as ql  # noqa: N813
from msgspec import Struct
from msgspec.structs import replace

from riskpipe.importers.book import Values
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.indices import Index, index_of, is_overnight
from riskpipe.importers.ore.leg_schedules import Dates, Days, leg_dates
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.quoted_dates import CONVENTIONS, a_day, market, numbers
from riskpipe.importers.ore.xml import Element
from riskpipe.market.bootstrap.quantlib import to_date

_SAME: Final = 1e-12


class Steps(Struct, frozen=True):
    """A number that changes from dates on: `Notional`, `Rate`, `Spread`.

    :param dates: of each value; None: from the period of its own number on.
    """

    values: tuple[float, ...]
    dates: tuple[date | None, ...]

    def at(self, periods: list[date]) -> list[float]:
        """Its value in each period, by the dates on which these start, as ORE's buildScheduledVector does."""
        found: list[float] = []
        for number, start in enumerate(periods):
            if any(day is not None for day in self.dates):
                current = self.values[0]
                for value, day in zip(self.values, self.dates, strict=True):
                    if day is None or day <= start:
                        current = value
                found.append(current)
            else:
                found.append(self.values[min(number, len(self.values) - 1)])
        return found


def steps(element: Element | None, tag: str, default: float | None = None) -> Steps:
    """:raises LeftOutError: there are none, and no default."""
    found = list(element.all(tag)) if element is not None else []
    if not found:
        if default is None:
            raise LeftOutError(f"{tag} is missing")
        return Steps((default,), (None,))
    dates = [child.attributes.get("startDate", "") for child in found]
    return Steps(
        tuple(codes.number(child.text.strip()) for child in found),
        tuple(codes.a_date(day) if day else None for day in dates),
    )


def common_columns(data: Element, ore: OreMarket) -> Values:
    """Direction, currency, and the curve that discounts."""
    currency = data.need("Currency")
    return {
        "direction": "pay" if codes.flag(data.get("Payer")) else "receive",
        "currency": currency,
        "discount_curve": ore.discount_curve(currency),
    }


class Terms(Struct, frozen=True):
    """Of a leg with coupons, period by period.

    :param reset: columns of a notional that follows an exchange rate; {} of one that does not.
    :param notionals: of each period; `initial`, `interim`, `final`: which notionals are exchanged.
    :param payment: of each period.
    :param columns: of a leg whose schedule riskpipe makes with these dates and payments; None of others.
    """

    dates: Dates
    day_count: str
    notionals: list[float]
    initial: bool
    interim: bool
    final: bool
    payment: list[date]
    reset: Values
    columns: Values | None


def coupon_terms(data: Element, notional: float | None = None) -> Terms:
    """What legs with periods have in common.

    :param notional: of a leg that may be without one; None: it may not.
    :raises LeftOutError: it cannot be read.
    """
    dates = leg_dates(data)
    exchanges = data.find("Notionals", "Exchanges")
    initial, interim, final = (
        codes.flag(exchanges.get(f"Notional{name}Exchange")) if exchanges is not None else False
        for name in ("Initial", "Amortizing", "Final")
    )
    if data.find("Amortizations") is not None and list(data.child("Amortizations").children):
        raise LeftOutError("amortisations by a rule are not taken")
    if data.find("Indexings") is not None:
        raise LeftOutError("indexed notionals are not taken")
    notionals = data.find("Notionals")
    starts = dates.dates[:-1]
    payment, said = _payments(data, dates)
    return Terms(
        dates,
        codes.day_count(data.need("DayCounter")),
        steps(notionals, "Notional", notional).at(starts),
        initial,
        interim,
        final,
        [a_day(int(day)) for day in payment],
        _reset(notionals),
        dates.said_by(payment, said),
    )


def _reset(notionals: Element | None) -> Values:
    """FXReset: the notional is that of another currency at each period's exchange rate."""
    reset = notionals.find("FXReset") if notionals is not None else None
    if reset is None:
        return {}
    return {
        "reset_currency": reset.need("ForeignCurrency"),
        "reset_notional": codes.number(reset.need("ForeignAmount")),
    }


def reset_terms(data: Element, terms: Terms, ore: OreMarket, turned: list[str]) -> Terms:
    """With a notional that is reset by ORE's forwards, where these are not the book's.

    :raises LeftOutError: that has been reset already.
    """
    if not terms.reset:
        return terms
    index = data.get("Notionals", "FXReset", "FXIndex")
    factor = ore.reset(index, str(terms.reset["reset_currency"]), data.need("Currency"))
    if abs(factor - 1.0) < _SAME:
        return terms
    if terms.dates.days[1] <= ore.as_of:
        raise LeftOutError(f"a notional that {index} has reset already, whose spot day is not the pair's")
    turned.append(f"its reset notional is times {factor:.6f}: the spot day of {index} is not the pair's")
    return replace(terms, reset={**terms.reset, "reset_notional": terms.reset["reset_notional"] * factor})


def notional_columns(terms: Terms, starts: list[date]) -> Values:
    """One notional, one that steps, or one that follows an exchange rate."""
    if terms.reset:
        return {**terms.reset, "notional": terms.notionals[0]}
    return stepped_columns(terms.notionals, starts, "notional", "notionals", "notional_dates")


def _payments(data: Element, dates: Dates) -> tuple[Days, Values]:
    """When each period is paid, and the columns that say so."""
    schedule = data.find("ScheduleData", "Rules") or data.find("ScheduleData", "Dates")
    code = data.get("PaymentCalendar") or (schedule.get("Calendar") if schedule is not None else "")
    convention = codes.convention(data.get("PaymentConvention"), "following")
    calendar, text = codes.calendar(code), data.get("PaymentLag") or "0"
    index = data.get("FloatingLegData", "Index")
    if index and not data.get("PaymentCalendar") and is_overnight(index):
        calendar = index_of(index).calendar  # as ORE has it for overnight legs alone
    lag = int(text) if text.isdigit() else codes.period(text).length()
    place, rule = market(calendar), CONVENTIONS[convention]
    ends = [to_date(int(day)) for day in dates.days[1:]]
    paid = [place.advance(end, lag, ql.Days, rule) if lag else place.adjust(end, rule) for end in ends]
    said: Values = {"payment_calendar": calendar, "payment_convention": convention}
    return numbers(paid), {**said, "payment_lag": float(lag)} if lag else said


def exchange_columns(terms: Terms) -> Values:
    """Which notionals change hands."""
    return {
        "exchange_initial": terms.initial or None,
        # ORE exchanges what a reset changes the notional by wherever it exchanges notionals.
        "exchange_interim": terms.interim or (bool(terms.reset) and (terms.initial or terms.final)) or None,
        "exchange_final": terms.final or None,
    }


def stepped_columns(values: list[float], starts: list[date], one: str, many: str, dates: str) -> Values:
    """The columns of a term that may change from period to period."""
    changes = [k for k in range(1, len(values)) if values[k] != values[k - 1]]
    if not changes:
        return {one: values[0]}
    return {one: values[0], many: [values[k] for k in changes], dates: [starts[k] for k in changes]}


def refuse_other_fixing_days(floating: Element, index: Index) -> None:
    """:raises LeftOutError: a term rate is fixed on another day than its index says."""
    days = floating.get("FixingDays")
    if days and not index.overnight and int(days) != index.fixing_days:
        raise LeftOutError(f"its fixing days are {days}, those of {index.name} {index.fixing_days}")
