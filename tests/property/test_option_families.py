"""Every family of options at its corners: no volatility, expiry today, one day, fifty years, negative rates, far off.

What is compared is what holds whatever the model: bounds, parity, the order and the convexity of strikes, homogeneity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from flat_market import AS_OF, FlatMarket, make_trades
from hypothesis import given, settings
from hypothesis import strategies as st
from selections import examples

from riskpipe.products.base import Product
from riskpipe.products.commodity_option import CommodityOption
from riskpipe.products.equity_asian_option import EquityAsianOption
from riskpipe.products.equity_barrier_option import EquityBarrierOption
from riskpipe.products.equity_option import EquityOption
from riskpipe.products.fx_barrier_option import FxBarrierOption
from riskpipe.products.fx_option import FxOption
from riskpipe.products.fx_touch import FxTouch

Array = np.ndarray[Any, np.dtype[np.float64]]
SPOT, STRIKES = 100.0, 5
MARKET = FlatMarket(*(np.full((2, 1), level) for level in (SPOT, 0.02, 0.01, 0.2)))
FACTORS = MARKET.snapshot.factors.column("factor").to_pylist()

RATES = st.one_of(st.sampled_from([0.0, -0.03, 0.15]), st.floats(-0.05, 0.15))
VOLS = st.one_of(st.sampled_from([0.0, 1e-4, 2.0]), st.floats(0.01, 1.0))
DAYS = st.one_of(st.sampled_from([0, 1, 365, 18250]), st.integers(0, 3650))
# Logarithms of strike over spot: about the money, and so far off that nothing or everything is left.
MONEYNESS = st.lists(st.floats(-3.0, 3.0), min_size=STRIKES, max_size=STRIKES, unique_by=lambda z: round(z, 2))
SIDES = st.sampled_from(["call", "put"])


class Cases:
    """Some markets, each a scenario, and as many expiries.

    :ivar rate, dividend, vol, years: float64[n, 1].
    """

    def __init__(self, drawn: list[tuple[float, float, float, int]]) -> None:
        self.rate, self.dividend, self.vol, days = np.array(drawn).T[:, :, None]
        self.days, self.years = days[:, 0].astype(int), days / 365.0

    def calmer(self, deviation: float) -> Cases:
        """With volatilities up to a deviation to expiry."""
        vol = np.minimum(self.vol, deviation / np.sqrt(np.maximum(self.years, 1e-3)))
        return Cases(list(zip(self.rate[:, 0], self.dividend[:, 0], vol[:, 0], self.days, strict=True)))

    def levels(self, scale: float) -> Array:
        """An equity and, at a hundredth of its spot and half of its volatility, an exchange rate."""
        levels = {"zero_rate": self.rate, "dividend_yield": self.dividend, "black_vol": self.vol}
        levels |= {"fx_vol": 0.5 * self.vol, "spot:E": np.full_like(self.vol, SPOT * scale)}
        levels["spot:C"] = levels["spot:E"] / 100.0
        rows = [next(v for start, v in levels.items() if factor.startswith(start)) for factor in FACTORS]
        return np.ascontiguousarray(np.array(rows)[:, :, 0])

    def price(self, product: Product, terms: dict[str, Any], strikes: Array, column: str, scale: float = 1.0) -> Array:
        """float64[n, strikes]: trades of the terms, the case's expiry and each strike, in the case's market."""
        n, m = len(self.days), len(strikes)
        columns: dict[str, Any] = {name: [value] * (n * m) for name, value in terms.items()}
        columns["expiry_date"] = AS_OF + np.repeat(self.days, m)
        if any(column.name == "delivery_date" for column in product.columns):
            columns["delivery_date"] = columns["expiry_date"]
        columns[column] = np.tile(strikes, n)
        trades = make_trades(product, columns)
        assert product.validate(trades, AS_OF) == []
        rows = np.arange(n * m, dtype=np.int32)
        values = product.prepare(trades, MARKET.model).price(rows, self.levels(scale))
        return values.reshape(n, m, n)[np.arange(n), :, np.arange(n)]


CASES = st.lists(st.tuples(RATES, RATES, VOLS, DAYS), min_size=1, max_size=8).map(Cases)
few, some = settings(max_examples=15), examples(40)


@dataclass(frozen=True)
class Family:
    """Options that differ in strike and type.

    :param more: columns beyond those of European options; `prices` are those that scale with the spot.
    :param rough, cubic: error of the method, of the larger of spot and strike: constant, and by deviation cubed.
    :param widest: deviation up to which the method orders prices.
    """

    product: Product
    more: dict[str, Any] = field(default_factory=dict)
    prices: tuple[str, ...] = ()
    rough: float = 0.0
    cubic: float = 0.0
    widest: float = 20.0

    @property
    def is_fx(self) -> bool:
        return self.product.name.startswith("fx_")

    def values(self, cases: Cases, option_type: str, strikes: Array, scale: float = 1.0) -> Array:
        """float64[cases, strikes], in units of the equity's currency."""
        unit = scale / 100.0 if self.is_fx else scale
        terms: dict[str, Any] = {"option_type": option_type}
        if self.is_fx:
            terms |= {"pair": "CAACAB", "notional": 1.0}
        else:
            terms |= {"underlying": "E0", "currency": "CAA", "quantity": 1.0}
        terms |= {name: value * unit if name in self.prices else value for name, value in self.more.items()}
        return cases.price(self.product, terms, strikes * unit, "strike", scale) / unit * scale

    def slack(self, cases: Cases, strikes: Array) -> Array:
        """float64[cases, strikes]: errors of the method, and of rounding in discounted forwards."""
        fastest = np.abs(cases.rate) + np.abs(cases.dividend)
        deviation = np.minimum(cases.vol * np.sqrt(cases.years), 1.0)
        error = 1e-12 * np.exp(fastest * cases.years) + self.rough + self.cubic * deviation**3
        return np.asarray(error * np.maximum(SPOT, strikes))


FAMILIES = {
    "equity": Family(EquityOption(), {"exercise": "european"}),
    "american": Family(EquityOption(), {"exercise": "american"}, rough=5e-5),
    "fx": Family(FxOption()),
    "commodity": Family(CommodityOption()),
    "geometric": Family(
        EquityAsianOption(), {"averaging": "geometric", "fixing_start": AS_OF, "fixing_frequency": "1Y"}
    ),
    "arithmetic": Family(
        EquityAsianOption(),
        {"averaging": "arithmetic", "fixing_start": AS_OF, "fixing_frequency": "1Y"},
        cubic=1e-4,
        widest=1.0,
    ),
}
for kind in ("up_in", "up_out", "down_in", "down_out"):
    terms = {"barrier_type": kind, "barrier": 125.0 if kind.startswith("up") else 80.0, "rebate": 0.0}
    # Where a barrier is nearly certain to be reached four large terms cancel.
    FAMILIES[f"equity {kind}"] = Family(EquityBarrierOption(), terms, ("barrier", "rebate"), rough=1e-9)
    FAMILIES[f"fx {kind}"] = Family(FxBarrierOption(), terms, ("barrier", "rebate"), rough=1e-9)

every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))


def strikes_of(moneyness: list[float]) -> Array:
    return np.asarray(SPOT * np.exp(np.sort(np.array(moneyness))))


@every_family
@few
@given(CASES, MONEYNESS)
def test_prices_fall_or_rise_with_the_strike_and_are_convex_in_it(
    family: Family, cases: Cases, moneyness: list[float]
) -> None:
    strikes, cases = strikes_of(moneyness), cases.calmer(family.widest)
    slack = family.slack(cases, strikes)
    steps = np.diff(strikes)
    for option_type, sign in (("call", -1.0), ("put", 1.0)):
        values = family.values(cases, option_type, strikes)
        assert np.all(np.isfinite(values))
        assert np.all(values >= -slack)
        assert np.all(sign * np.diff(values) >= -2.0 * slack[:, 1:])
        slopes = np.diff(values) / steps
        assert np.all(np.diff(slopes) >= -4.0 * slack[:, 2:] / np.minimum(steps[1:], steps[:-1]))


@every_family
@few
@given(CASES, MONEYNESS, SIDES)
def test_four_times_the_spot_and_the_strike(
    family: Family, cases: Cases, moneyness: list[float], option_type: str
) -> None:
    """And the barrier: it is a currency of a quarter the worth."""
    strikes = strikes_of(moneyness)
    once, four = (family.values(cases, option_type, strikes, scale) for scale in (1.0, 4.0))
    np.testing.assert_allclose(four / 4.0, once, rtol=1e-11, atol=1e-11 * SPOT)


@pytest.mark.parametrize("name", ["equity", "fx", "commodity"])
@some
@given(CASES, MONEYNESS)
def test_a_call_less_a_put_is_a_forward(name: str, cases: Cases, moneyness: list[float]) -> None:
    family, strikes = FAMILIES[name], strikes_of(moneyness)
    call, put = (family.values(cases, option_type, strikes) for option_type in ("call", "put"))
    carry = 0.0 if family.is_fx else cases.rate - cases.dividend  # both currencies of the pair have one rate
    paid = np.exp(-cases.rate * cases.years) * (SPOT * np.exp(carry * cases.years) - strikes)
    assert np.all(np.abs(call - put - paid) <= 2.0 * family.slack(cases, strikes))


@some
@given(CASES, MONEYNESS, SIDES)
def test_american_options_are_worth_no_less(cases: Cases, moneyness: list[float], option_type: str) -> None:
    """Than European ones, and than what exercise pays now."""
    strikes = strikes_of(moneyness)
    american, european = (FAMILIES[name].values(cases, option_type, strikes) for name in ("american", "equity"))
    assert np.all(american >= european - FAMILIES["american"].slack(cases, strikes))
    now = SPOT - strikes if option_type == "call" else strikes - SPOT
    assert np.all(american >= now - 1e-12 * strikes)


@some
@given(CASES, MONEYNESS)
def test_averages_are_worth_no_more_than_what_there_is_to_win(cases: Cases, moneyness: list[float]) -> None:
    """The geometric average is the smaller one; a call is worth the mean at most, a put the strike."""
    strikes = strikes_of(moneyness)
    arithmetic, geometric = (FAMILIES[name].values(cases, "call", strikes) for name in ("arithmetic", "geometric"))
    slack = FAMILIES["geometric"].slack(cases, strikes)
    assert np.all(arithmetic >= geometric - slack)
    discount = np.exp(-cases.rate * cases.years)
    highest = SPOT * np.maximum(np.exp((cases.rate - cases.dividend) * cases.years), 1.0)
    assert np.all(arithmetic <= discount * highest + slack)
    assert np.all(FAMILIES["arithmetic"].values(cases, "put", strikes) <= discount * strikes + slack)


@pytest.mark.parametrize("market", ["equity", "fx"])
@some
@given(CASES, MONEYNESS, SIDES, st.sampled_from(["up", "down"]))
def test_in_and_out_are_the_vanilla_option(
    market: str, cases: Cases, moneyness: list[float], option_type: str, side: str
) -> None:
    strikes = strikes_of(moneyness)
    names = (market, f"{market} {side}_in", f"{market} {side}_out")
    vanilla, into, out = (FAMILIES[name].values(cases, option_type, strikes) for name in names)
    assert np.all(np.abs(into + out - vanilla) <= FAMILIES[names[1]].slack(cases, strikes))


@pytest.mark.parametrize("market", ["equity", "fx"])
@pytest.mark.parametrize("side", ["up", "down"])
@few
@given(CASES, st.floats(1e-6, 0.7), SIDES)
def test_barriers_that_are_reached_at_the_start(
    market: str, side: str, cases: Cases, beyond: float, option_type: str
) -> None:
    """The option that is in is the vanilla one, that which is out has paid its rebate."""
    level = SPOT * np.exp(-beyond if side == "up" else beyond)
    product = FAMILIES[f"{market} up_in"].product
    terms = {"barrier": level, "rebate": 3.0}
    into, out = (
        Family(product, {**terms, "barrier_type": f"{side}_{way}"}, ("barrier", "rebate")) for way in ("in", "out")
    )
    strikes = np.array([60.0, 100.0, 170.0])
    vanilla = FAMILIES[market].values(cases, option_type, strikes)
    np.testing.assert_allclose(into.values(cases, option_type, strikes), vanilla, rtol=1e-11, atol=1e-9)
    np.testing.assert_allclose(out.values(cases, option_type, strikes), 3.0, rtol=1e-12)


@some
@given(CASES, MONEYNESS, st.sampled_from(["CAA", "CAB"]))
def test_touches_are_the_likelier_the_nearer_the_level(cases: Cases, moneyness: list[float], currency: str) -> None:
    levels = strikes_of(moneyness) / 100.0
    terms = {"pair": "CAACAB", "payout": 1.0, "payout_currency": currency}
    touch, digital = (
        cases.price(FxTouch(), {**terms, "touch_type": kind}, levels, "level") for kind in ("one_touch", "digital_call")
    )
    certain = np.exp(-cases.rate * cases.years)
    slack = 1e-9 * np.maximum(certain, 1.0)
    assert np.all((touch >= -slack) & (touch <= certain + slack))
    above = levels > SPOT / 100.0
    assert np.all(np.diff(touch[:, above]) <= slack)
    assert np.all(np.diff(touch[:, ~above]) >= -slack)
    assert np.all(np.diff(digital) <= slack)
    assert np.all(touch[:, above] >= digital[:, above] - slack)
