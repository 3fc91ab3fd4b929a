"""What kernels take: arrays that belong together, as plain tuples in the orders that stand here.

A kernel's first argument is the trades to price, `rows` int32[m]; then come what the market gives (nodes, variances),
what the contracts say, and last the array that it writes or adds to. There are n trades, of which `rows` are some, and
S scenarios. Numba takes a NamedTuple apart ten times as slowly at every call, so these are plain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from riskpipe.arrays import FloatArray
from riskpipe.kernels.collocation import Scheme

Indices = NDArray[np.int32]
Offsets = NDArray[np.int64]
Flags = NDArray[np.bool_]

# --- dates, in days since 1970-01-01 ---
BusinessTable = tuple[int, Indices, Indices]
"""Of a calendar: a first day; of each day from it on, which business day is the first at or after it, int32[days]; the
business days, int32[m], ascending."""

Window = tuple[int, int]
"""Two days."""

Periods = tuple[Indices, Indices, Indices, Indices]
"""start, end, unadjusted start, unadjusted end, int32[k] each."""

Flows = tuple[Offsets, Indices, FloatArray]
"""trade int64[k], day int32[k], amount float64[k]."""

Box = tuple[int, int, int, int]
"""Of pairs of integers: the first code, the first day, how many days, and how many pairs of both there are."""

# --- the market ---
NodeValues = tuple[FloatArray, Indices]
"""values float64[nodes, S] of market nodes; position int32[n], the node of each trade (or term)."""

Variances = tuple[Indices, FloatArray, FloatArray, FloatArray]
"""Of `VarianceNodes`: index int32[k, 4], strike weight float64[k, 4], time weight float64[k, 2]; and the factors'
levels, float64[n_factors, S]."""

CubeVariances = tuple[Indices, FloatArray, FloatArray, FloatArray]
"""Of `CubeNodes`: index int32[n, 8], weight float64[n, 8], time weight float64[n, 2]; and the factors' levels."""

# --- contracts ---
Vanillas = tuple[FloatArray, FloatArray, FloatArray]
"""strike, sign (+1 for calls, -1 for puts), quantity, float64[n] each."""

Expansions = tuple[Indices, NDArray[np.int8], FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]
"""Of the exercise boundaries of m American options, see `riskpipe.kernels.expansion`: place int32[n], of each trade
among them; kind int8[m], the position of the scheme, -1: there is none; origin, unit, reach float64[m, 3], of sigma,
rate and carry; terms float64[m, 13, nodes]; inverse float64[m, nodes, nodes], of the Jacobian."""

Exercise = tuple[tuple[Scheme, Scheme], Expansions]
"""The usual collocation, and one that is at least as fine for dividends (of the put) below zero; and the expansions
that were made with these."""

Barriers = tuple[FloatArray, FloatArray, FloatArray, Flags, Flags, FloatArray]
"""barrier float64[n]; rebate float64[n], a unit, at the hit for out, at expiry for in; eta float64[n], +1 for down and
-1 for up; is_in bool[n]; knocked bool[n], the barrier was reached before today: in is a vanilla option, out is worth
nothing; weight float64[n, 4], of Haug's terms A, B, C and D."""

Touches = tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int8], Flags, FloatArray]
"""level, eta, half float64[n], see `touch_probability`; kind int8[n], one of `ONE_TOUCH`, `NO_TOUCH`, `DIGITAL_CALL`,
`DIGITAL_PUT`; touched bool[n], the level was touched before today; payout float64[n]."""

Averages = tuple[FloatArray, Flags, FloatArray, FloatArray, FloatArray]
"""years float64[n], to expiry, of which the volatility is; is_geometric bool[n]; float64[n] each: how many fixings
there are, how many of them are past, and these ones' average."""

Fixings = tuple[Offsets, FloatArray, FloatArray]
"""Of averages, those to come, ascending in time: offset int64[n + 1], time float64[k] in years, share float64[k] of
`riskpipe.kernels.asian.shares`."""

Strips = tuple[Offsets, FloatArray, FloatArray]
"""Options that replicate variances: offset int64[legs + 1], strike float64[k], weight float64[k] (of d strike). A leg
has its centre alone, or that, the ends of its smile and the strikes between them."""

Forwards = tuple[FloatArray, FloatArray]
"""strike, quantity, float64[n] each."""

RateAgreements = tuple[FloatArray, FloatArray, FloatArray]
"""amount, owed, ratio float64[n]: the settlement is amount - owed / (1 + ratio (P(start) / P(end) - 1))."""

InflationPayments = tuple[FloatArray, FloatArray]
"""known float64[n], in currency; amount float64[n, 2], likewise, times the growth of the index to each of two
months."""

InflationGrowths = tuple[Indices, FloatArray, FloatArray, FloatArray]
"""Of the index to two months: index int32[n, 2, 2], factors; weight float64[n, 2, 2]; years float64[n, 2]; and the
factors' levels float64[n_factors, S]."""

VarianceSwaps = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""float64[n] each: past, the variance realised so far, not annual; years over which all of it is taken; the strike's
variance a year; notional, paid for one of it."""

# --- terms, in compressed rows: those of trade r are offsets[r] to offsets[r + 1] ---
UsedNodes = tuple[FloatArray, Indices]
"""values float64[used, width] of the nodes at hand in a tile of scenarios; position int32[nodes], the row of each node
among them, right for used nodes alone."""

KnownTerms = tuple[Offsets, Indices, FloatArray]
"""offsets int64[n + 1]; node int32[k], of payment; coefficient float64[k], in currency."""

ProjectedTerms = tuple[Offsets, Indices, Indices, FloatArray]
"""offsets int64[n + 1]; growth int32[k], nodes of growths P(start) / P(end) of the projection curve; payment int32[k],
of the discount curve; coefficient float64[k], in currency."""

SurvivalTerms = tuple[Offsets, Indices, Indices, FloatArray]
"""offsets int64[n + 1]; node int32[k], of payment; hazard node int32[k], of the survival that it hangs on; coefficient
float64[k], in currency."""

ProjectedSurvivalTerms = tuple[Offsets, Indices, Indices, Indices, FloatArray]
"""As `ProjectedTerms`, with hazard nodes int32[k] before the coefficients."""

DefaultTerms = tuple[Offsets, Indices, Indices, Indices, FloatArray]
"""offsets int64[n + 1]; node int32[k], when a default between start and end, hazard nodes int32[k], is settled;
coefficient float64[k], in currency."""

DefaultChains = tuple[Offsets, Indices, Indices, FloatArray, FloatArray]
"""offsets int64[n + 1]; of each date node int32[k] and hazard node int32[k]; amount and slope float64[k], in currency:
what a default in the step that ends at the date pays, linear in time from amount to amount + slope. The first of a
chain is not used."""

Recoveries = tuple[Indices, FloatArray]
"""int32[n], the factor of the recovery rate that multiplies a trade's terms, -1: none; the factors' levels."""

OptionletTerms = tuple[Offsets, Indices, Indices, FloatArray, FloatArray, FloatArray]
"""offsets int64[n + 1]; growth, payment int32[k], as of `ProjectedTerms`; gearing, constant, amount float64[k]: the
rate is gearing x growth + constant."""

RateOptions = tuple[FloatArray, FloatArray, FloatArray]
"""strike, shift (of lognormal rates), sign (+1 for caps and payers, -1 for floors and receivers), float64[n] each."""

SwapTerms = tuple[KnownTerms, KnownTerms, ProjectedTerms, KnownTerms, KnownTerms, tuple[Offsets, FloatArray]]
"""Swaps of notional one: the lengths of the fixed periods at their ends; known and projected terms of the floating leg
without its spread; terms of the spread, spread x length; settlement, one term of one, for cash; offsets and lengths of
all fixed periods, in time order, for cash."""
