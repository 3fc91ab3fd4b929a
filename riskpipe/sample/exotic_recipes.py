"""Barriers, touches and what else depends on the way of the spot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.market.labels import Labels
from riskpipe.sample.market_table import Point
from riskpipe.sample.option_recipes import equity_options, fx_options
from riskpipe.sample.recipe import Desk, Recipe, equally
from riskpipe.sample.trade_terms import Columns, Draw, significant
from riskpipe.sample.universe import EQUITY_BY_NAME, FX_SMILES


def fx_barrier_options(draw: Draw) -> Columns:
    """Half a deviation to two from the spot; a few long past theirs."""
    columns = fx_options(draw)
    pairs = draw.instruments
    spot = draw.quotes.fx_forward(pairs, np.zeros(len(draw)))
    return columns | _barriers(draw, spot, draw.quotes.deviation(pairs, draw.years(_days(columns))))


def equity_barrier_options(draw: Draw) -> Columns:
    """Half a deviation to two from the spot; a few long past theirs."""
    columns = equity_options(draw)
    names = draw.instruments
    spot = draw.quotes.equity_forward(names, np.zeros(len(draw)))
    del columns["exercise"]
    return columns | _barriers(draw, spot, draw.quotes.deviation(names, draw.years(_days(columns))))


def equity_asian_options(draw: Draw) -> Columns:
    """Monthly and weekly averages over the life of the option, some of them seasoned."""
    columns = equity_options(draw)
    names, expiry = draw.instruments, _days(columns)
    del columns["exercise"]
    start = (draw.as_of + draw.rng.integers(-150, 30, len(draw))).astype(np.int32)
    start = np.minimum(start, expiry)
    frequency = _pick(draw, ("1W", "1M", "3M"))
    # How many are past follows from the dates, where it is not given.
    spot = draw.quotes.equity_forward(names, np.zeros(len(draw)))
    return columns | {
        "averaging": _pick(draw, ("arithmetic", "geometric")),
        "fixing_start": start,
        "fixing_frequency": frequency,
        "fixings_done": np.full(len(draw), np.nan),
        "running_average": significant(spot * np.exp(0.05 * draw.rng.standard_normal(len(draw))), 5),
    }


def variance_swaps(draw: Draw) -> Columns:
    """Of whole months, struck near the variance of their day; half of them seasoned, some start later."""
    names = draw.instruments
    start = (draw.as_of + np.where(draw.rng.random(len(draw)) < 0.5, -draw.rng.integers(1, 300, len(draw)), 0)).astype(
        np.int32
    )
    start = np.where(draw.rng.random(len(draw)) < 0.1, draw.as_of + 60, start).astype(np.int32)
    expiry = np.maximum(draw.horizon(0.8, 3.0), start + 30).astype(np.int32)
    vol = draw.quotes.deviation(names, draw.years(expiry)) / np.sqrt(np.maximum(draw.years(expiry), 1.0 / 365.0))
    seasoned = start < draw.as_of
    realised = significant((vol * draw.rng.uniform(0.7, 1.3, len(draw))) ** 2, 3)
    return {
        "underlying": names,
        "currency": names.map(lambda name: EQUITY_BY_NAME[name].currency),
        "vega_notional": draw.notional(names.map(lambda name: EQUITY_BY_NAME[name].currency), 0.05) * draw.sign,
        "strike_vol": significant(vol * draw.rng.uniform(0.9, 1.1, len(draw)), 3),
        "start_date": start,
        "expiry_date": expiry,
        "realised_variance": np.where(seasoned, realised, np.nan),
    }


def quanto_equity_options(draw: Draw) -> Columns:
    """On indices, paid in dollars; those on American ones in euros."""
    columns = equity_options(draw)
    del columns["exercise"]
    return columns | {"pair": draw.instruments.map(lambda name: _QUANTO_PAIRS[name][0])}


def _correlations(as_of: int) -> list[Point]:
    return [
        Point(f"correlation:{name}:{pair}", "correlation", f"{name}:{pair}", None, value)
        for name, (pair, value) in _QUANTO_PAIRS.items()
    ]


def fx_touches(draw: Draw) -> Columns:
    """Touches and digitals, half a deviation to two from the spot; a third pays in the first currency."""
    pairs = draw.instruments
    expiry = draw.horizon(0.35, 3.0)
    spot = draw.quotes.fx_forward(pairs, np.zeros(len(draw)))
    away = draw.rng.uniform(0.5, 2.0, len(draw)) * np.where(draw.rng.random(len(draw)) < 0.5, -1.0, 1.0)
    level = significant(spot * np.exp(away * draw.quotes.deviation(pairs, draw.years(expiry))), 4)
    first, second = pairs.map(lambda pair: pair[:3]), pairs.map(lambda pair: pair[3:])
    codes = np.where(draw.rng.random(len(draw)) < 0.35, first.codes, second.codes + np.int32(len(first.names)))
    paid = Labels(codes.astype(np.int32), (*first.names, *second.names))
    return {
        "pair": pairs,
        "touch_type": _pick(draw, ("one_touch", "no_touch", "digital_call", "digital_put")),
        "level": level,
        "payout": draw.notional(paid, 0.5) * draw.sign,
        "payout_currency": paid,
        "expiry_date": expiry,
        "touched": np.zeros(len(draw), np.bool_),
    }


def _barriers(draw: Draw, spot: FloatArray, deviation: FloatArray) -> Columns:
    kind = _pick(draw, ("up_in", "up_out", "down_in", "down_out"))
    away = deviation * draw.rng.uniform(0.5, 2.0, len(draw))
    barrier = significant(spot * np.exp(np.where(kind.codes < 2, away, -away)), 4)
    rebate = np.where(draw.rng.random(len(draw)) < 0.3, significant(0.01 * spot, 2), 0.0)
    return {
        "barrier_type": kind,
        "barrier": barrier,
        "rebate": rebate,
        "knocked": (draw.rng.random(len(draw)) < 0.03) & (kind.codes % 2 == 0),
    }


def _pick(draw: Draw, names: tuple[str, ...]) -> Labels:
    return Labels(draw.rng.integers(0, len(names), len(draw)).astype(np.int32), names)


def _days(columns: Columns) -> NDArray[np.int32]:
    days = columns["expiry_date"]
    assert isinstance(days, np.ndarray)
    return days.astype(np.int32)


_QUANTO_PAIRS = {
    "SPX": ("EURUSD", 0.25),
    "SX5E": ("EURUSD", 0.15),
    "UKX": ("GBPUSD", -0.20),
    "NKY": ("USDJPY", 0.45),
}
"""Index -> the pair that gives what it is paid in, and their correlation."""
_INDICES = ("SPX", "SX5E", "UKX", "NKY")
# Few on a stock with discrete dividends: each takes as long as a thousand others.
_BARRIERS = (*equally(("NDX", *_INDICES)), ("EU_PHARMA_02", 0.05))

RECIPES = {
    "fx_barrier_option": Recipe("FXB", 0.01, fx_barrier_options, (Desk("fx/exotic/barriers", 1, equally(FX_SMILES)),)),
    "equity_barrier_option": Recipe(
        "EQB", 0.01, equity_barrier_options, (Desk("equity/exotic/barriers", 1, _BARRIERS),)
    ),
    "fx_touch": Recipe("FXT", 0.01, fx_touches, (Desk("fx/exotic/touches", 1, equally(FX_SMILES)),)),
    "equity_asian_option": Recipe(
        "EQA", 0.005, equity_asian_options, (Desk("equity/exotic/asians", 1, equally(_INDICES)),)
    ),
    "quanto_equity_option": Recipe(
        "QEO",
        0.005,
        quanto_equity_options,
        (Desk("equity/exotic/quantos", 1, equally(_QUANTO_PAIRS)),),
        facts=_correlations,
    ),
    "variance_swap": Recipe("VAR", 0.005, variance_swaps, (Desk("equity/exotic/variance", 1, equally(_INDICES)),)),
}
