"""Curves whose quotes riskpipe's own bootstrap turns into the same rates: these stay quotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
from msgspec import Struct

from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore import codes
from riskpipe.importers.ore.convention_files import Conventions as ConventionFiles
from riskpipe.importers.ore.growing_curves import Curve
from riskpipe.importers.ore.indices import index_of
from riskpipe.importers.ore.quote_lines import Line, Quotes
from riskpipe.importers.ore.quoted_dates import a_day
from riskpipe.importers.ore.xml import Element
from riskpipe.importers.ore.yield_curves import YieldCurve
from riskpipe.market.bootstrap.quantlib import valued_at
from riskpipe.market.bootstrap.rates import RateMarket
from riskpipe.market.conventions import Conventions, CurveConvention
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.structs import asdict

_CLOSE: Final = 1e-10
_OVERNIGHT: Final = "1D"

Row = dict[str, str | float]


class KeptQuotes(Struct, frozen=True):
    """Quotes of a curve as riskpipe has them.

    :param rows: of the market.
    """

    rows: tuple[Row, ...]
    convention: CurveConvention

    @property
    def settings(self) -> dict[str, object]:
        """The keys of `market.curves.<CURVE>`."""
        return {key: value for key, value in asdict(self.convention).items() if value is not None}


def kept_quotes(
    name: str,
    built: YieldCurve,
    element: Element,
    quotes: Quotes,
    conventions: ConventionFiles,
    others: Mapping[str, Curve],
) -> KeptQuotes | None:
    """The quotes, where riskpipe makes the same curve of them to 1e-10; None: it does not.

    :param others: the curve that discounts its swaps, by its name in the book, where that is another one.
    """
    try:
        found = _candidate(name, built, element, quotes, conventions, next(iter(others), name))
    except LeftOutError:
        return None
    return found if found is not None and _makes(found, name, built, others) else None


def _candidate(
    name: str, built: YieldCurve, element: Element, quotes: Quotes, conventions: ConventionFiles, discount: str
) -> KeptQuotes | None:
    segments = [s for s in element.child("Segments").children if any(q.text.strip() for q in s.all("Quotes", "Quote"))]
    kinds = [segment.get("Type") for segment in segments]
    if sorted(kinds) not in (["OIS"], ["Swap"], ["Deposit", "OIS"], ["Deposit", "Swap"]) or built.missing:
        return None
    swaps = next(segment for segment in segments if segment.get("Type") != "Deposit")
    terms = conventions.get(swaps.get("Conventions"))
    index = index_of(terms.need("Index"))
    if codes.number(terms.get("RateCutoff") or "0") or codes.flag(terms.get("EOM")) or terms.get("FloatFrequency"):
        return None
    overnight = swaps.get("Type") == "OIS"
    lag = int(terms.get("PaymentLag") or 0)
    convention = CurveConvention(
        index_tenor=_OVERNIGHT if overnight else codes.period_text(codes.period(index.tenor)).replace("1Y", "12M"),
        discount_curve=discount,
        calendar=codes.calendar(terms.get("FixedCalendar")) if terms.get("FixedCalendar") else index.calendar,
        settlement_days=int(terms.need("SpotLag")) if overnight else index.fixing_days,
        day_count=index.day_count,
        fixed_frequency=codes.tenor(terms.get("FixedFrequency") or "Annual"),
        fixed_day_count=codes.day_count(terms.need("FixedDayCounter")),
        payment_lag=lag or None,
    )
    instruments = {"Deposit": "deposit", "OIS": "ois", "Swap": "swap"}
    rows: list[Row] = []
    for segment in segments:
        for quote in segment.all("Quotes", "Quote"):
            line = quotes.get(quote.text.strip())
            rows.append(_row(name, built.currency, instruments[segment.get("Type")], line))
    return KeptQuotes(tuple(rows), convention)


def _row(name: str, currency: str, instrument: str, line: Line) -> Row:
    tenor = codes.period_text(codes.period(line.parts[-1]))
    return {
        "factor": f"par_rate:{name}:{tenor}",
        "kind": "par_rate",
        "name": name,
        "currency": currency,
        "tenor": tenor,
        "instrument": instrument,
        "value": line.value,
    }


def _makes(kept: KeptQuotes, name: str, built: YieldCurve, others: Mapping[str, Curve]) -> bool:
    rows = list(kept.rows)
    for other, curve in others.items():
        for day, zero in zip(curve.days.tolist(), curve.zeros.tolist(), strict=True):
            tenor = a_day(day).isoformat()
            point = {"factor": f"zero_rate:{other}:{tenor}", "kind": "zero_rate", "name": other, "tenor": tenor}
            rows.append({**point, "currency": built.currency, "value": zero})
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in MARKET_SCHEMA]
    conventions = Conventions(
        discount_curves={built.currency: next(iter(others), name)},
        curve_extrapolation=dict.fromkeys((name, *others), "flat_forward"),
        curves={name: kept.convention},
    )
    as_of = built.curve.as_of
    with valued_at(as_of):
        market = RateMarket(pa.table(columns, schema=MARKET_SCHEMA), as_of, conventions, frozenset())
        made = market.derivation()
    if made.faults or len(made.groups) != 1:
        return False
    points = made.groups[0].points
    days = [a_day(day).isoformat() for day in built.curve.days.tolist()]
    zeros = np.array(points.column("value").to_pylist())
    return points.column("tenor").to_pylist() == days and bool(np.abs(zeros - built.curve.zeros).max() < _CLOSE)
