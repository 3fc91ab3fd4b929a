"""What the quotes of a curve mean: its configuration, completed by the customs of its currency's market."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from riskpipe.market.conventions import OVERNIGHT, Conventions


class CurrencyCustoms(Struct, frozen=True):
    """Of one currency's market.

    :param overnight, term: frequency and day count of fixed legs against overnight and term indices.
    """

    calendar: str
    settlement_days: int
    day_count: str
    overnight: tuple[str, str]
    term: tuple[str, str]


_ACT360: Final = ("1Y", "ACT/360")
_ACT365: Final = ("1Y", "ACT/365F")
_HALF_365: Final = ("6M", "ACT/365F")
_BOND: Final = ("1Y", "30E/360")

CUSTOMS: Final[dict[str, CurrencyCustoms]] = {
    "USD": CurrencyCustoms("USGS", 2, "ACT/360", _ACT360, ("6M", "30/360")),
    "EUR": CurrencyCustoms("TARGET", 2, "ACT/360", _ACT360, _BOND),
    "GBP": CurrencyCustoms("GBLO", 0, "ACT/365F", _ACT365, _HALF_365),
    "JPY": CurrencyCustoms("JPTO", 2, "ACT/365F", _ACT365, _HALF_365),
    "CHF": CurrencyCustoms("weekends", 2, "ACT/360", _ACT360, _BOND),
    "AUD": CurrencyCustoms("weekends", 1, "ACT/365F", _ACT365, _HALF_365),
    "CAD": CurrencyCustoms("weekends", 1, "ACT/365F", _HALF_365, _HALF_365),
    "SEK": CurrencyCustoms("weekends", 2, "ACT/360", _ACT360, _BOND),
}
OTHERS: Final = CurrencyCustoms("weekends", 2, "ACT/360", _ACT360, _BOND)
"""Of a currency that is not listed."""


class Terms(Struct, frozen=True):
    """`CurveConvention` with every choice made; `against` is "" where there is none.

    :param foreign: the other leg is in another currency; `foreign_discount` discounts it.
    :param averaged, against_averaged: overnight rates of the own leg, and of the other one of basis swaps.
    :param resetting: whose notional of a cross-currency swap follows the exchange rate, "own", "against" or "".
    """

    name: str
    currency: str
    index_tenor: str
    discount_curve: str
    projection_curve: str
    against: str
    against_tenor: str
    foreign: bool
    foreign_discount: str
    basis_on_own: bool
    float_frequency: str
    calendar: str
    business_day_convention: str
    settlement_days: int
    day_count: str
    against_day_count: str
    fixed_frequency: str
    fixed_day_count: str
    end_of_month: bool
    payment_lag: int
    payment_calendar: str
    averaged: bool
    against_averaged: bool
    resetting: str
    futures_volatility: float

    @property
    def overnight(self) -> bool:
        return self.index_tenor == OVERNIGHT


def terms_of(name: str, currency: str, conventions: Conventions, currency_of: dict[str, str]) -> Terms:
    """:param currency_of: name of a curve -> its currency; the first three letters of others' names are theirs."""
    own = conventions.curve(name)
    customs = CUSTOMS.get(currency, OTHERS)
    tenor = conventions.index_tenor(name)
    home = conventions.discount_curve(currency)
    against = own.against or ""
    abroad = currency_of.get(against, against[:3])
    fixed_frequency, fixed_day_count = customs.overnight if tenor == OVERNIGHT else customs.term
    foreign = bool(against) and abroad != currency
    calendar = own.calendar or customs.calendar
    other_tenor = conventions.index_tenor(against)
    return Terms(
        name=name,
        currency=currency,
        index_tenor=tenor,
        discount_curve=own.discount_curve or home,
        projection_curve=own.projection_curve or home,
        against=against,
        against_tenor=other_tenor,
        foreign=foreign,
        foreign_discount=conventions.discount_curve(abroad),
        basis_on_own=own.basis_on == "own" if own.basis_on else foreign or _months(tenor) < _months(other_tenor),
        float_frequency=own.float_frequency or "3M",
        calendar=calendar,
        business_day_convention=own.business_day_convention or "modified_following",
        settlement_days=customs.settlement_days if own.settlement_days is None else own.settlement_days,
        day_count=own.day_count or customs.day_count,
        against_day_count=conventions.curve(against).day_count or CUSTOMS.get(abroad, OTHERS).day_count,
        fixed_frequency=own.fixed_frequency or fixed_frequency,
        fixed_day_count=own.fixed_day_count or fixed_day_count,
        end_of_month=bool(own.end_of_month),
        payment_lag=own.payment_lag or 0,
        payment_calendar=own.payment_calendar or calendar,
        averaged=own.averaging == "averaged",
        against_averaged=own.against_averaging == "averaged",
        resetting=own.resetting or "",
        futures_volatility=own.futures_volatility or 0.0,
    )


def _months(tenor: str) -> int:
    return 0 if tenor == OVERNIGHT else int(tenor[:-1])
