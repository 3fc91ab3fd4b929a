"""Worked examples of books (book_examples.csv), each through its product."""

from __future__ import annotations

import csv
import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Column
from riskpipe.products.catalogue import catalogue
from riskpipe.products.validation import all_columns

TODAY = date(2025, 2, 13)  # a Thursday, and no period of the examples begins or ends on a weekend

with Path(__file__).with_name("book_examples.csv").open(encoding="utf-8") as lines:
    ROWS = list(csv.DictReader(line for line in lines if not line.startswith("#")))


def after(rates: Any, months: int) -> int:
    month = TODAY.month - 1 + months
    return int(rates.day_number(date(TODAY.year + month // 12, month % 12 + 1, TODAY.day)))


def snapshot(rates: Any, row: dict[str, str]) -> MarketSnapshot:
    """Levels at our times that give the book's discount factors and variances at its times."""
    as_of, points = after(rates, 0), []
    for curve in row["curves"].split(";"):
        name, *levels = curve.split()
        for months, level in (pillar.split("=") for pillar in levels):
            day = after(rates, int(months))
            value = float(level) * int(months) / 12.0 / ((day - as_of) / 365.0)
            points.append(("zero_rate", name, rates.iso(day), None, value))
    for point in row["points"].split():
        place, level = point.split("=")
        kind, name, *months = place.split(":")
        if months:
            day = after(rates, int(months[0]))
            value = float(level) * math.sqrt(int(months[0]) / 12.0 / ((day - as_of) / 365.0))
            points.append((kind, name, rates.iso(day), "atm", value))
        else:
            points.append((kind, name, None, None, float(level)))
    kinds, names, tenors, axes, values = zip(*points, strict=True)
    factors = [":".join(part for part in point[:3] if part) for point in points]
    columns = {"factor": factors, "kind": kinds, "name": names, "value": values}
    columns |= {"tenor": pa.array(tenors, pa.string()), "strike_type": pa.array(axes, pa.string())}
    return MarketSnapshot.from_table(pa.table(columns), as_of)


def read(rates: Any, column: Column, text: str) -> Any:
    if column.kind == "date":
        return after(rates, int(text.removesuffix("m")))
    return {"number": float, "string": str, "boolean": lambda word: word == "true"}[column.kind](text)


@pytest.mark.parametrize("row", ROWS, ids=[row["product"] for row in ROWS])
def test_printed_value(rates: Any, row: dict[str, str]) -> None:
    product = catalogue()[row["product"]]
    kinds = {column.name: column for column in all_columns(product)}
    terms = dict(term.split("=") for term in row["terms"].split())
    trades = rates.trades(product, {name: [read(rates, kinds[name], text)] for name, text in terms.items()})
    market = snapshot(rates, row)
    assert product.validate(trades, market.as_of) == []
    prepared = product.prepare(trades, MarketModel(market, Conventions()))
    value = prepared.price(np.zeros(1, np.int32), market.x0[:, None].copy())[0, 0]
    assert value == pytest.approx(float(row["value"]), abs=float(row["tolerance"]))
