"""One American option under scenarios, by the kernel and by QuantLib."""

import numpy as np
import QuantLib as ql  # noqa: N813
from flat_market import TODAY, process

from riskpipe.kernels.american import american_options
from riskpipe.kernels.expansion import unexpanded
from riskpipe.products.american import expanded, schemes

HIGH = ql.QdFpAmericanEngine.highPrecisionScheme()


def quantlib(spot, strike, rate, dividend, vol, days, sign, precision):
    kind = ql.Option.Call if sign > 0 else ql.Option.Put
    exercise = ql.AmericanExercise(TODAY, TODAY + int(days))
    option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, float(strike)), exercise)
    option.setPricingEngine(ql.QdFpAmericanEngine(process(spot, rate, dividend, vol), precision))
    return option.NPV()


def levels(spot, rate, dividend, vol, years):
    """Spots, forwards, discount factors and variances of one option, as kernels take them."""
    one, weights = np.zeros(1, np.int32), (np.array([[1.0, 0.0, 0.0, 0.0]]), np.array([[years, 0.0]]))
    forward = spot * np.exp((rate - dividend) * years)
    variances = np.zeros((1, 4), np.int32), *weights, vol[None].copy()
    return (spot[None].copy(), one), (forward[None], one), (np.exp(-rate * years)[None], one), variances


def price(spot, strike, rate, dividend, vol, days, sign, collocated=None, unseen=None, base=None):
    """One option in as many scenarios as there are spots.

    :param unseen: scenarios whose spot is not a number, though the forward is.
    :param base: spot, rate, dividend and vol of the base scenario; None: the first of
        those to price; "none": there is none, boundaries are solved for from cold.
    """
    spot, rate, dividend, vol = np.broadcast_arrays(*np.atleast_1d(spot, rate, dividend, vol))
    years, one, out = days / 365.0, np.zeros(1, np.int32), np.empty((1, len(spot)))
    market = levels(spot, rate, dividend, vol, years)
    if unseen is not None:
        market[0][0][0, unseen] = np.nan
    terms, used = (
        (np.array([float(strike)]), np.array([float(sign)]), np.ones(1)),
        (collocated, collocated) if collocated else schemes(),
    )
    expansions = unexpanded(one, 1, 0)
    if base != "none":
        at = [np.atleast_1d(each)[:1] for each in base or (spot, rate, dividend, vol)]
        expansions = expanded(one, one, levels(*at, years), terms, used)
    american_options(one, *market, terms, (used, expansions), out)
    return out[0]
