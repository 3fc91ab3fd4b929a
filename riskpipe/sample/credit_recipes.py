"""Swaps on credit indices, and the hazard rates of their own quotes."""

from __future__ import annotations

from typing import cast

import numpy as np

from riskpipe.arrays import FloatArray
from riskpipe.market.factors import NO_DATE
from riskpipe.market.labels import Labels
from riskpipe.sample.day_numbers import business_days
from riskpipe.sample.market_table import Point
from riskpipe.sample.rate_recipes import credit_default_swaps
from riskpipe.sample.recipe import Desk, Recipe, equally, issuers
from riskpipe.sample.todays_market import hazard_points
from riskpipe.sample.trade_terms import Columns, Draw, Lists, Values
from riskpipe.sample.universe import CREDIT_INDEX_REGIONS, CREDIT_INDICES, ISSUER_BY_NAME

_CONSTITUENTS = {
    name: tuple(issuer for issuer, _ in issuers(region=region, grade=ISSUER_BY_NAME[name].grade))
    for name, region in CREDIT_INDEX_REGIONS.items()
}


def index_swaps(draw: Draw) -> Columns:
    """Standard contracts; a few dealt today, some on indices with defaults behind them, some on their constituents."""
    single = cast(dict[str, Values], credit_default_swaps(draw))
    names, start = single.pop("reference_entity"), cast(np.ndarray, single["start_date"])
    chance = draw.rng.random((3, len(draw)))
    today = (chance[0] < 0.2) & (start <= draw.as_of)
    settled = int(business_days(np.array([draw.as_of + 5], np.int32))[0])
    return {
        "index": names,
        **single,
        "factor": np.where(chance[1] < 0.15, 0.98, np.nan),
        "upfront_date": np.where(today, settled, NO_DATE).astype(np.int32),
        "trade_date": np.where(today, draw.as_of, NO_DATE).astype(np.int32),
        "rebates_accrual": today,
        "valued_on": Labels((chance[2] < 0.3).astype(np.int32), ("index", "constituents")),
        **_constituents(cast(Labels, names), cast(FloatArray, chance[2]) < 0.3),
    }


def _constituents(indices: Labels, listed: np.ndarray) -> dict[str, Lists]:
    names = tuple(dict.fromkeys(name for of in _CONSTITUENTS.values() for name in of))
    members = [[names.index(name) for name in _CONSTITUENTS[index]] for index in indices.names]
    each = [members[code] if there else [] for code, there in zip(indices.codes.tolist(), listed, strict=True)]
    offsets = np.cumsum([0, *map(len, each)])
    codes = np.array([code for of in each for code in of], np.int32)
    return {"constituents": Lists(offsets, Labels(codes, names))}


def _index_curves(as_of: int) -> list[Point]:
    return hazard_points(CREDIT_INDICES, as_of)


_DESKS = (
    Desk("credit/index/trading", 3, equally(CREDIT_INDEX_REGIONS)),
    Desk("credit/index/macro", 1, equally(CREDIT_INDEX_REGIONS), 0.3),
)

RECIPES = {"index_cds": Recipe("IDX", 0.01, index_swaps, _DESKS, points=_index_curves)}
