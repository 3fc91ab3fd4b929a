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
Codes = NDArray[np.int8]

# --- dates, in days since 1970-01-01 ---
BusinessTable = tuple[int, Indices, Indices]
"""Of a calendar: a first day; of each day from it on, which business day is the first at or after it, int32[days]; the
business days, int32[m], ascending."""

Window = tuple[int, int]
"""Two days."""

Periods = tuple[Indices, Indices, Indices, Indices]
"""start, end, unadjusted start, unadjusted end, int32[k] each."""

Rolls = tuple[Codes, Flags, Flags, Indices, Indices]
"""Of n schedules, see `riskpipe.kernels.rolled_dates`: roll int8[n]; counted forwards bool[n]; a long stub bool[n];
first and last regular date int32[n], `NO_DAY` where there is none."""

DateRows = tuple[Offsets, Offsets, Indices, Flags]
"""Of n schedules: begin, count int64[n], of each one's dates among k; dates int32[k]; regular bool[k], that the period
which begins on the date, or of those counted forwards ends on it, is whole."""

TimedFlows = tuple[Offsets, FloatArray, FloatArray]
"""Of n trades in compressed rows: offsets int64[n + 1]; times in years and amounts, float64[flows]."""

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

Escrows = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""Of ex dates: years to them, float64[m]; G, A and C of `riskpipe.kernels.payouts`, float64[m, S]."""

Payouts = tuple[Indices, Indices, FloatArray, Escrows]
"""Of the k trades to price: first and one after the last of their ex dates, int32[k], years to expiry, float64[k]; and
all ex dates."""

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

Averages = tuple[FloatArray, Flags, FloatArray, FloatArray, FloatArray, FloatArray]
"""years float64[n], to expiry, of which the volatility is; is_geometric bool[n]; float64[n] each: how many fixings
there are, how many of them are past, and these ones' average; float64[k, S], of the k trades to price: the part of the
arithmetic average that is certain besides, float64[0, 0]: none."""

Fixings = tuple[Offsets, FloatArray, FloatArray]
"""Of averages, those to come, ascending in time: offset int64[n + 1], time float64[k] in years, share float64[k] of
`riskpipe.kernels.asian.shares`."""

Strips = tuple[Offsets, FloatArray, FloatArray]
"""Options that replicate variances: offset int64[legs + 1], strike float64[k], weight float64[k] (of d strike). A leg
has its centre alone, or that, the ends of its smile and the strikes between them."""

WeightedSums = tuple[FloatArray, Offsets, FloatArray]
"""Of m averages: known float64[m], of past fixings; offsets int64[m + 1]; weight float64[k], of forward prices."""

AveragePayments = tuple[Offsets, FloatArray, FloatArray]
"""offsets int64[n + 1]; amount float64[k], of one of the average; constant float64[k], in currency."""

AverageOptions = tuple[Offsets, Indices, Offsets, FloatArray, FloatArray, FloatArray, Flags]
"""Of k options on averages, offsets int64[n + 1] by trade: average int32[k], of m; first int64[k], the row of the
variances of the average's first leg; strike float64[k], less what is fixed of the average; amount float64[k], signed;
sign float64[k], +1 for calls, -1 for puts; normal bool[k]."""

AveragedLegs = tuple[Offsets, FloatArray, Flags, FloatArray]
"""Of m averages: offsets int64[m + 1] of the legs to come; weight float64[m], of a day; by_day bool[m], each leg is a
day with a variance of its own, else a contract; decay float64[m] a year, of the correlations of contracts."""

AveragedContracts = tuple[Offsets, FloatArray, FloatArray, FloatArray]
"""Of the legs: offsets int64[legs + 1] of their days, whose time is float64[days], years; years float64[legs], of which
the variance is; expiry float64[legs], years."""

Forwards = tuple[FloatArray, FloatArray]
"""strike, quantity, float64[n] each."""

LinearTerms = tuple[FloatArray, FloatArray, FloatArray]
"""constant (in currency), size, reference, float64[n] each: the value is constant + size (level - reference)."""

RateAgreements = tuple[FloatArray, FloatArray, FloatArray]
"""amount, owed, ratio float64[n]: the settlement is amount - owed / (1 + ratio (P(start) / P(end) - 1))."""

InflationPayments = tuple[FloatArray, FloatArray]
"""known float64[n], in currency; amount float64[n, 2], likewise, times the growth of the index to each of two
months."""

InflationGrowths = tuple[Indices, FloatArray, FloatArray, FloatArray]
"""Of the index to two months: index int32[n, 2, 2], factors; weight float64[n, 2, 2]; years float64[n, 2]; and the
factors' levels float64[n_factors, S]."""

IndexLevels = tuple[FloatArray, FloatArray, Indices, FloatArray, FloatArray]
"""Price indices, k of them, each a sum over two months: known float64[k]; amount float64[k, 2], what grows; index
int32[k, 2, 2], weight float64[k, 2, 2] and years float64[k, 2], as of `InflationGrowths`."""

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

ResetTerms = tuple[Offsets, Indices, Indices, Indices, FloatArray]
"""offsets int64[n + 1]; rate int32[k], nodes of exchange rates; growth int32[k], -1: none; payment int32[k];
coefficient float64[k], per unit of the rate."""

IndexedTerms = tuple[Offsets, Indices, Indices, Indices, FloatArray]
"""offsets int64[n + 1]; above, below int32[k], indices, one over the other, below -1: one; payment int32[k];
coefficient float64[k]."""

NodePair = tuple[FloatArray, Indices, Indices]
"""values float64[used, width] of market nodes; int32[k] each, which of them a term has of its first and last day."""

NodePairs = tuple[NodePair, NodePair, NodePair, NodePair]
"""Prices, exchange rates, dividends so far and factors of dividend yields."""

ReturnTerms = tuple[Offsets, Indices, FloatArray, FloatArray, FloatArray, FloatArray, Flags]
"""offsets int64[n + 1]; payment int32[k]; coefficient float64[k], in currency for a return of one; the price of the
first day, NaN where it is still to come, dividends received and the part of dividends passed on, float64[k] each;
relative bool[k], to the first price."""

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

OptionletTerms = tuple[Offsets, Indices, Indices, FloatArray, FloatArray, FloatArray, FloatArray]
"""offsets int64[n + 1]; growth, payment int32[k], as of `ProjectedTerms`; gearing, constant, amount, strike float64[k]:
the rate is gearing x growth + constant."""

OptionletSides = tuple[FloatArray, FloatArray]
"""shift (of lognormal rates), sign (+1 for caps, -1 for floors), float64[n] each."""

SwapTerms = tuple[KnownTerms, KnownTerms, ProjectedTerms, KnownTerms, KnownTerms, tuple[Offsets, FloatArray]]
"""Swaps of notional one: the lengths of the fixed periods at their ends; known and projected terms of the floating leg
without its spread; terms of the spread, spread x length; settlement, one term of one, for cash; offsets and lengths of
all fixed periods, in time order, for cash."""
