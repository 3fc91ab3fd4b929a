"""Risk-factor points: the kinds there are, which columns each needs, and what a tenor means as a date."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Iterable
from datetime import date, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from riskpipe.errors import Level

Return = Literal["absolute", "relative", "log"]
Move = Literal["absolute", "relative", "log", "none"]
RiskClass = Literal["rates", "inflation", "credit", "fx", "equity", "commodity", "volatility"]
RISK_CLASSES: tuple[RiskClass, ...] = get_args(RiskClass)
LiquidityHorizon = Literal[10, 20, 40, 60, 120]
LIQUIDITY_HORIZONS: tuple[LiquidityHorizon, ...] = get_args(LiquidityHorizon)
"""In days (MAR33.12)."""

NO_DATE = -(2**31)
"""Days of a point that has no pillar date (spots, recoveries, correlations)."""

DELTA_TYPES = ("delta_put", "delta_call")
SPREAD_TYPES = ("risk_reversal", "butterfly")
"""Strike types of quotes that are no volatilities but differences of some."""
STRIKE_TYPES = ("absolute", "moneyness", "offset", *DELTA_TYPES, "atm", *SPREAD_TYPES)
INSTRUMENTS = ("deposit", "fra", "future", "swap", "ois", "basis")
SHIFT_TYPES = ("absolute", "relative", "log", "set")


class Kind(Struct, frozen=True):
    """What a kind of factor needs and how it moves.

    :param needs: columns that may not be null, besides those that every kind has.
    :param move: how history moves it: "absolute" differences, ratios ("log" of values above zero, "relative" of any)
        or "none" (held still).
    :param positive: the value must be above zero, under every scenario too.
    :param bounds: the least and the largest value that there can be, under every scenario too.
    :param fact: observed in the past: scenarios may not move it.
    :param made: of derived points alone: neither in inputs nor named by scenarios.
    :param risk_class: that its factors belong to, unless their name says otherwise (`riskpipe.market.risk_classes`).
    """

    name: str
    risk_class: RiskClass
    needs: tuple[str, ...] = ()
    move: Move = "absolute"
    positive: bool = False
    bounds: tuple[float, float] = (-math.inf, math.inf)
    volatility: bool = False
    fact: bool = False
    made: bool = False


DIVIDENDS = ("dividend", "dividend_ratio")
"""Kinds whose points are events of their dates, no curve: a point of today or before has been."""

CARRY_KINDS = ("dividend_yield", "borrow", *DIVIDENDS)
"""Kinds that make forwards of a spot beside rates, each optional."""

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("spot", "equity", move="log", positive=True),
        Kind("zero_rate", "rates", ("tenor",)),
        Kind("par_rate", "rates", ("tenor", "instrument")),
        Kind("forward_price", "commodity", ("tenor",), move="log"),
        Kind("dividend_yield", "equity", ("tenor",)),
        Kind("dividend", "equity", ("tenor",), move="relative", bounds=(0.0, math.inf)),
        Kind("dividend_ratio", "equity", ("tenor",), move="relative", bounds=(0.0, 1.0)),
        Kind("borrow", "equity", ("tenor",)),
        Kind("hazard_rate", "credit", ("tenor",)),
        Kind("cds_spread", "credit", ("tenor",)),
        Kind("recovery", "credit", move="none", bounds=(0.0, 1.0)),
        Kind("black_vol", "volatility", ("tenor",), move="log", positive=True, volatility=True),
        Kind("normal_vol", "volatility", ("tenor",), move="log", positive=True, volatility=True),
        Kind("fx_vol", "volatility", ("tenor",), move="log", positive=True, volatility=True),
        Kind("correlation", "volatility", move="none", bounds=(-1.0, 1.0)),
        Kind("fixing", "rates", ("tenor",), move="none", fact=True),
        Kind("index_fixing", "inflation", ("tenor",), move="none", positive=True, fact=True),
        Kind("inflation_zero", "inflation", ("tenor",)),
        Kind("smile_vol", "volatility", ("tenor",), move="none", positive=True, volatility=True, made=True),
    )
}

SMILE = "smile_vol"
"""Kind of the derived volatilities by strike; their surface's name is `kind:name` of the quoted one."""

_SPREADS = {kind.name: replace(kind, move="absolute", positive=False) for kind in KINDS.values() if kind.volatility}


def kind_of(kind: str, strike_type: str | None) -> Kind:
    """The kind as it counts for one point: risk reversals and butterflies may be negative and move by differences.

    :raise KeyError: there is no such kind.
    """
    return _SPREADS[kind] if strike_type in SPREAD_TYPES and kind in _SPREADS else KINDS[kind]


class MarketFault(Struct, frozen=True):
    """One rule that some rows of a market, history or scenario table break.

    :param column: the column at fault.
    :param rows: how many rows break the rule; 0 where the whole column is meant.
    :param sample: a few factor ids (or scenario names, or dates) among them.
    :param ids: all of them; empty of a history, whose rows are counted as they are read.
    """

    level: Level
    column: str
    rule: str
    rows: int
    sample: tuple[str, ...]
    message: str
    ids: frozenset[str] = frozenset()


SAMPLE_SIZE = 5


def fault(level: Level, column: str, rule: str, ids: Iterable[object], message: str) -> MarketFault:
    """A fault of the rows named by `ids`; the sample is its first few distinct ones."""
    names = [str(i) for i in ids]
    sample = tuple(dict.fromkeys(names))[:SAMPLE_SIZE]
    return MarketFault(level, column, rule, len(names), sample, message, frozenset(names))


_EPOCH = date(1970, 1, 1)
_TENOR = re.compile(r"(\d{1,5})([DWMY])")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def days_of(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def date_of(days: int) -> date:
    return _EPOCH + timedelta(days=int(days))


def is_iso_date(tenor: str) -> bool:
    return _ISO_DATE.fullmatch(tenor) is not None


@lru_cache(maxsize=1 << 16)
def pillar_days(tenor: str, as_of: int) -> int | None:
    """The date a tenor points to, in days since 1970-01-01; None if it is no tenor.

    `nD`, `nW`, `nM`, `nY` are added to `as_of` without business-day adjustment, the day clipped to the end of
    the month; an ISO date is taken as it is.
    """
    try:
        if is_iso_date(tenor):
            return days_of(date.fromisoformat(tenor))
        match = _TENOR.fullmatch(tenor)
        if match is None:
            return None
        count, unit = int(match[1]), match[2]
        if unit in "DW":
            return days_of(date_of(as_of) + timedelta(days=count * (7 if unit == "W" else 1)))
        return days_of(_add_months(date_of(as_of), count * (12 if unit == "Y" else 1)))
    except (ValueError, OverflowError):
        return None


def _add_months(day: date, months: int) -> date:
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > 9999:
        raise ValueError("beyond the calendar")
    return date(year, month0 + 1, min(day.day, calendar.monthrange(year, month0 + 1)[1]))


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` with the closest known name, or nothing."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def is_currency(code: str) -> bool:
    return len(code) == 3 and code.isascii() and code.isalpha() and code.isupper()


def is_pair(name: str, currency: str | None) -> bool:
    """Whether a spot is a currency pair: EURUSD, quoted in USD (an equity so named has another currency)."""
    return len(name) == 6 and is_currency(name[:3]) and is_currency(name[3:]) and currency in (None, name[3:])
