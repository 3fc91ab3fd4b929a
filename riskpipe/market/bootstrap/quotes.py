"""Quotes by curve, the points of zero curves that others are built on, and faults that name curve and instrument."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.errors import Level
from riskpipe.market.factors import MarketFault, date_of, fault, is_iso_date, pillar_days
from riskpipe.market.point_table import MARKET_SCHEMA


class Quote(Struct, frozen=True):
    """One quoted instrument.

    :param value: decimals a year.
    """

    factor: str
    tenor: str
    instrument: str
    value: float

    def __str__(self) -> str:
        return f"{self.factor} ({self.instrument})"


class QuotedCurve(Struct, frozen=True):
    """The quotes of one name, in the table's order.

    :param currency: None: the table does not say.
    """

    name: str
    currency: str | None
    quotes: tuple[Quote, ...]


class CurvePoints(Struct, frozen=True):
    """Points of a curve that are still to come, ascending.

    :param days: int64[n], after as_of.
    :param value: float64[n].
    """

    ids: tuple[str, ...]
    days: NDArray[np.int64]
    value: FloatArray


class BootstrapError(ValueError):
    """No curve can be made of the quotes.

    :param rule: in a word or two, of `MarketFault`.
    :param quotes: at fault.
    """

    def __init__(self, rule: str, quotes: Sequence[Quote], reason: str) -> None:
        super().__init__(f"{', '.join(str(quote) for quote in quotes)}: {reason}")
        self.rule = rule
        self.quotes = quotes

    def fault(self, curve: str) -> MarketFault:
        message = f"{curve} cannot be made of its quotes: {self}"
        return fault(Level.ERROR, "value", self.rule, [quote.factor for quote in self.quotes], message)


def refuse_same_pillars(days: NDArray[np.int64], quotes: Sequence[Quote]) -> None:
    """:param days: pillars, ascending, of the quotes."""
    for k in np.flatnonzero(np.diff(days) == 0).tolist():
        reason = f"both end on {date_of(int(days[k])).isoformat()}"
        raise BootstrapError("same pillar", list(quotes[k : k + 2]), reason)


_ORDINAL = re.compile(r"failed at (\d+)\w\w (?:alive )?instrument")


def explained(message: str, quotes: Sequence[Quote], what: str) -> BootstrapError:
    """QuantLib's message with the instrument's name in place of its number.

    :param quotes: by pillar.
    :param what: is solved for.
    """
    match = _ORDINAL.search(message)
    reason = re.sub(r"\s+", " ", message.rsplit("reference date", 1)[-1].split(":", 1)[-1]).strip()
    if match is None:
        return BootstrapError("not bootstrappable", quotes, reason)
    quote = quotes[int(match[1]) - 1]
    return BootstrapError("not bootstrappable", [quote], f"no {what} after those before reprices it ({reason})")


def quoted_curves(table: pa.Table, kind: str, instrument: str | None = None) -> list[QuotedCurve]:
    """Curves with points of a kind, by name.

    :param instrument: of every quote; None: as the table has it.
    """
    rows: dict[str, list[dict[str, object]]] = {}
    for row in table.filter(pc.equal(table["kind"], kind)).to_pylist():
        rows.setdefault(row["name"], []).append(row)
    return [
        QuotedCurve(
            name,
            next((str(row["currency"]) for row in found if row["currency"]), None),
            tuple(
                Quote(str(row["factor"]), str(row["tenor"]), instrument or str(row["instrument"]), float(row["value"]))  # type: ignore[arg-type]
                for row in found
            ),
        )
        for name, found in sorted(rows.items())
    ]


def zero_points(table: pa.Table, as_of: int) -> dict[str, CurvePoints]:
    """Every zero curve by name; a curve without any living point is flat at its last one, and has it tomorrow."""
    found: dict[str, list[tuple[int, str, float]]] = {}
    columns = [table.column(name).to_pylist() for name in ("kind", "name", "tenor", "factor", "value")]
    for kind, name, tenor, factor, value in zip(*columns, strict=True):
        if kind == "zero_rate":
            days = pillar_days(tenor, as_of)
            assert days is not None
            found.setdefault(name, []).append((days, factor, value))
    return {name: _points(rows, as_of) for name, rows in found.items()}


def _points(rows: list[tuple[int, str, float]], as_of: int) -> CurvePoints:
    ordered = sorted(rows)
    living = [row for row in ordered if row[0] > as_of] or [(as_of + 1, *ordered[-1][1:])]
    days, ids, value = zip(*living, strict=True)
    return CurvePoints(ids, np.array(days, np.int64), np.array(value, np.float64))


def derived_rows(kind: str, name: str, currency: str | None, days: NDArray[np.int64], value: FloatArray) -> pa.Table:
    """Points of a curve as rows of the market, dated by their pillars."""
    tenors = [date_of(int(day)).isoformat() for day in days]
    columns = {
        "factor": [f"{kind}:{name}:{tenor}" for tenor in tenors],
        "kind": [kind] * len(tenors),
        "name": [name] * len(tenors),
        "currency": [currency] * len(tenors),
        "tenor": tenors,
        "value": value,
    }
    return pa.table(
        [
            pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(len(tenors), field.type)
            for field in MARKET_SCHEMA
        ],
        schema=MARKET_SCHEMA,
    )


def begun(quote: Quote, as_of: int) -> bool:
    """Whether a dated quote of one period has no period to come: a future or FRA that has begun, a deposit that is
    over.
    """
    day = pillar_days(quote.tenor, as_of) if is_iso_date(quote.tenor) else None
    if day is None or quote.instrument not in ("future", "fra", "deposit"):
        return False
    return day <= as_of if quote.instrument == "deposit" else day < as_of
