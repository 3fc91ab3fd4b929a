"""What conventions of a desk's book are worth: one trade each with and without, as QuantLib has both, to 1e-12.

Sizes are of 1e8 of notional, or of 10 million dollars of USDTRY.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import QuantLib as ql  # noqa: N813
from curve_market import day_number, ql_date
from dated_legs import AS_OF, INDICES, QuantLibLegs, Row, make_market, prefixed, trades_of

from riskpipe.market.conventions import Conventions
from riskpipe.market.model import MarketModel
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.products.base import Product
from riskpipe.products.bond import Bond
from riskpipe.products.credit_default_swap import CreditDefaultSwap
from riskpipe.products.cross_currency_swap import CrossCurrencySwap
from riskpipe.products.fx_forward import FxForward
from riskpipe.products.interest_rate_swap import InterestRateSwap
from riskpipe.products.swap import Swap

TOLERANCE = 1e-12
SIZE = 1e8
SPOTS = {"EURUSD": 1.16, "USDTRY": 42.5}
THIRTY = ql.Thirty360(ql.Thirty360.BondBasis)
ICMA, ISDA = ql.ActualActual(ql.ActualActual.ISMA), ql.ActualActual(ql.ActualActual.ISDA)
LONDON = ql.UnitedKingdom(ql.UnitedKingdom.Settlement)
AT_SPOT, TODAYS = (Conventions(indices=INDICES, fx_spot=name) for name in ("spot_date", "today"))
NOTHING: Row = dict.fromkeys(
    (
        *("roll_convention", "date_generation", "stub", "first_regular_date", "last_regular_date"),
        *("accrual_calendar", "accrual_convention", "maturity_convention"),
        *("payment_calendar", "payment_convention", "payment_lag"),
    )
)

Values = Callable[[Row], float]


class Desk:
    """A market, ours and QuantLib's."""

    def __init__(self) -> None:
        market = make_market()
        pillars = [AS_OF + days for days in (30, 365, 1826)]
        market.curves["zero_rate", "TRY.OIS"] = (pillars, [0.39, 0.36, 0.3])
        self.quantlib = QuantLibLegs(market)
        market.curves["hazard_rate", "ACME"] = (pillars, [0.01, 0.012, 0.02])
        self.survival = market.survival("ACME")
        table = market.snapshot().factors.drop_columns(["days", "underlying_days"])
        spots = [
            {"factor": f"spot:{pair}", "kind": "spot", "name": pair, "currency": pair[3:], "value": value}
            for pair, value in SPOTS.items()
        ]
        table = pa.concat_tables([table, pa.Table.from_pylist(spots, table.schema)])
        self.snapshot = MarketSnapshot.from_table(table, AS_OF)

    def value(self, product: Product, row: Row, conventions: Conventions = TODAYS) -> float:
        trades, model = trades_of(product, [row]), MarketModel(self.snapshot, conventions)
        assert product.missing_points(trades, model) == []
        return float(product.prepare(trades, model).price(np.zeros(1, np.int32), self.snapshot.x0[:, None])[0, 0])

    def worth(self, product: Product, value: Values, said: Row, unsaid: Row) -> float:
        """Of a trade with a convention, more than without. :param value: QuantLib's of each."""
        found, plain = self.value(product, said), self.value(product, unsaid)
        assert abs(found - value(said)) < TOLERANCE * SIZE
        assert abs(plain - value(unsaid)) < TOLERANCE * SIZE
        return found - plain


@pytest.fixture
def desk() -> Desk:
    return Desk()


def days(**dates: date) -> Row:
    return {name: day_number(day) for name, day in dates.items()}


# --- dates ---


def dated_swap(start: date, maturity: date, index: str = "TERM") -> Row:
    row = days(start_date=start, maturity_date=maturity) | {"calendar": "TARGET", "currency": "EUR", "index": index}
    row |= {"discount_curve": "EUR.OIS", "notional": SIZE, "direction": "receive", "fixed_rate": 0.03}
    row |= {"float_spread": 0.0, "float_day_count": "ACT/360", "fixed_day_count": "ACT/365F"}
    return row | {"business_day_convention": "modified_following"}


def on_both_legs(row: Row, frequency: str, **said: Any) -> Row:
    terms = NOTHING | {"frequency": frequency} | said
    return row | prefixed("fixed_", terms) | prefixed("float_", terms)


def leg_of(row: Row, prefix: str) -> Row:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}


def swap_value(desk: Desk) -> Values:
    def value(row: Row) -> float:
        legs, fixed, floating = desk.quantlib, leg_of(row, "fixed_"), leg_of(row, "float_")
        received = legs.fixed(row, fixed, [SIZE], row["fixed_rate"], ql.Actual365Fixed())
        paid = legs.floating(row, floating, row["index"], [SIZE], 0.0)
        return legs.value(received, "EUR.OIS") - legs.value(paid, "EUR.OIS")

    return value


def test_payment_lags(desk: Desk) -> None:
    """Two days on both legs of an overnight swap near its par rate."""
    swap = dated_swap(date(2026, 11, 24), date(2036, 11, 24), "ESTR") | {"fixed_rate": 0.0285}
    worth = desk.worth(
        InterestRateSwap(), swap_value(desk), on_both_legs(swap, "1Y", payment_lag=2), on_both_legs(swap, "1Y")
    )
    assert -300.0 < worth < -30.0


def test_ends_of_months(desk: Desk) -> None:
    """Of a seasoned swap: the quarter began on the 30th of September, not on the 28th."""
    swap = dated_swap(date(2025, 6, 30), date(2030, 6, 28))
    said = on_both_legs(swap, "3M", roll_convention="EOM")
    worth = desk.worth(InterestRateSwap(), swap_value(desk), said, on_both_legs(swap, "3M"))
    assert -4000.0 < worth < -1000.0


def test_third_wednesdays(desk: Desk) -> None:
    """Likewise: the 16th of September, not the 17th."""
    swap = dated_swap(date(2025, 12, 17), date(2031, 12, 17))
    said = on_both_legs(swap, "3M", roll_convention="IMM", date_generation="forward")
    worth = desk.worth(InterestRateSwap(), swap_value(desk), said, on_both_legs(swap, "3M"))
    assert 500.0 < worth < 3000.0


def test_stubs(desk: Desk) -> None:
    """A first period of seven months in place of one of one and one of six; by its date and by its name."""
    swap = dated_swap(date(2026, 12, 15), date(2032, 1, 15))
    plain, regular = on_both_legs(swap, "6M"), day_number(date(2027, 7, 15))
    long = on_both_legs(swap, "6M", first_regular_date=regular)
    worth = desk.worth(InterestRateSwap(), swap_value(desk), long, plain)
    assert -1e4 < worth < -1e3
    assert desk.value(InterestRateSwap(), on_both_legs(swap, "6M", stub="long")) == desk.value(InterestRateSwap(), long)


# --- coupons ---


def test_coupons_by_icma(desk: Desk) -> None:
    """A bond whose half-years are halves, by ACT/ACT ICMA, or their days."""

    def value(row: Row) -> float:
        count = ICMA if row["day_count"] == "ACT/ACT ICMA" else ISDA
        leg = desk.quantlib.fixed(row, row, [SIZE], 0.04, count, start="issue_date", accrual=ql.Unadjusted)
        return desk.quantlib.value(leg, "EUR.OIS") + desk.quantlib.known(SIZE, leg[-1].date(), "EUR.OIS")

    row = bond(date(2026, 6, 15), date(2031, 12, 15), "TARGET") | {"coupon": 0.04}
    worth = desk.worth(Bond(), value, row | {"day_count": "ACT/ACT ICMA"}, row | {"day_count": "ACT/ACT"})
    assert -5e4 < worth < -4e3


def bond(issue: date, maturity: date, calendar: str) -> Row:
    row = days(issue_date=issue, maturity_date=maturity) | NOTHING
    row |= {"currency": "EUR", "discount_curve": "EUR.OIS", "quantity": 1.0, "face": SIZE, "frequency": "6M"}
    return row | {"calendar": calendar, "business_day_convention": "following"}


def test_a_gilt_ex_dividend(desk: Desk) -> None:
    """Of Friday, the 20th of November, the coupon of the 30th is the seller's: seven business days before it."""
    row = bond(date(2020, 11, 30), date(2030, 11, 30), "GBLO") | {"coupon": 0.0425, "day_count": "ACT/ACT ICMA"}
    row |= {"settlement_days": 1.0, "ex_coupon_days": None, "ex_coupon_calendar": None}

    def value(trade: Row) -> float:
        ends = (ql_date(trade["issue_date"]), ql_date(trade["maturity_date"]), ql.Period("6M"), LONDON)
        dates = ql.Schedule(*ends, ql.Unadjusted, ql.Unadjusted, ql.DateGeneration.Backward, False)
        ex = ql.Period(int(trade["ex_coupon_days"] or 0), ql.Days)
        terms = (dates, [0.0425], ICMA, ql.Following, 100.0, ql_date(trade["issue_date"]), LONDON)
        gilt = ql.FixedRateBond(1, SIZE, *terms, ex, LONDON)
        gilt.setPricingEngine(ql.DiscountingBondEngine(desk.quantlib.curves["EUR.OIS"]))
        return float(gilt.NPV())

    worth = desk.worth(Bond(), value, row | {"ex_coupon_days": 7.0, "ex_coupon_calendar": "GBLO"}, row)
    coupon = SIZE * 0.0425 / 2.0 * desk.quantlib.curves["EUR.OIS"].discount(ql.Date(30, 11, 2026))
    assert worth == pytest.approx(-coupon, rel=1e-9)


def one_leg(row: Row, **said: Any) -> Row:
    leg = days(start_date=date(2026, 11, 24), maturity_date=date(2031, 11, 24)) | NOTHING
    leg |= {"direction": "receive", "currency": "EUR", "discount_curve": "EUR.OIS", "notional": SIZE}
    leg |= {"calendar": "TARGET", "business_day_convention": "modified_following"} | row | said
    dated = {name: np.datetime64(leg[name], "D").item() for name in ("start_date", "maturity_date")}
    return {"currency": "EUR", "legs": [leg | dated]}


def undated(trade: Row) -> Row:
    (leg,) = trade["legs"]
    return leg | {name: day_number(leg[name]) for name in ("start_date", "maturity_date")}


def test_amortising_swaps(desk: Desk) -> None:
    """A leg whose notional falls by a fifth every year."""
    fixed = {"leg_type": "fixed", "fixed_rate": 0.03, "frequency": "1Y", "day_count": "30/360"}
    levels, years = [0.8e8, 0.6e8, 0.4e8, 0.2e8], range(2027, 2031)
    steps = {"notionals": levels, "notional_dates": [date(year, 11, 24) for year in years]}

    def value(trade: Row) -> float:
        leg = undated(trade)
        return desk.quantlib.value(
            desk.quantlib.fixed(leg, leg, [SIZE, *(leg["notionals"] or [])], 0.03, THIRTY), "EUR.OIS"
        )

    none = {"notionals": None, "notional_dates": None}
    worth = desk.worth(Swap(), value, one_leg(fixed, **steps), one_leg(fixed, **none))
    assert -6e6 < worth < -4e6


def test_averaged_rates(desk: Desk) -> None:
    """Daily rates that are added, not compounded, over years."""
    floating = {"leg_type": "floating", "index": "ESTR", "frequency": "1Y", "day_count": "ACT/360"}

    def value(trade: Row) -> float:
        leg = undated(trade)
        simple = leg["averaging"] == "averaged"
        method = ql.RateAveraging.Simple if simple else ql.RateAveraging.Compound
        index, dates = desk.quantlib.indices["ESTR", "TARGET"], desk.quantlib.schedule(leg, leg)
        coupons = ql.OvernightLeg([SIZE], dates, index, ql.Actual360(), ql.ModifiedFollowing, averagingMethod=method)
        return desk.quantlib.value(coupons, "EUR.OIS")

    worth = desk.worth(Swap(), value, one_leg(floating, averaging="averaged"), one_leg(floating, averaging=None))
    assert -3e5 < worth < -5e4


def test_zero_coupon_swaps(desk: Desk) -> None:
    """A fixed rate that is compounded and paid once, in place of every year."""
    fixed = {"leg_type": "fixed", "fixed_rate": 0.03, "day_count": "30/360"}

    def value(trade: Row) -> float:
        leg = undated(trade)
        if leg["rate_compounding"] is None:
            return desk.quantlib.value(desk.quantlib.fixed(leg, leg, [SIZE], 0.03, THIRTY), "EUR.OIS")
        begin, end = (ql_date(leg[name]) for name in ("start_date", "maturity_date"))
        growth = ql.InterestRate(0.03, THIRTY, ql.Compounded, ql.Annual).compoundFactor(begin, end)
        return desk.quantlib.known(SIZE * (growth - 1.0), end, "EUR.OIS")

    once = one_leg(fixed, frequency="1T", rate_compounding="annual")
    worth = desk.worth(Swap(), value, once, one_leg(fixed, frequency="1Y", rate_compounding=None))
    assert 1e4 < worth < 5e5


# --- currencies and credit ---


def test_the_spot_lag_of_lira(desk: Desk) -> None:
    """Friday's rate is Monday's: three days of 35 % on ten million dollars."""
    row = days(delivery_date=date(2027, 2, 22)) | {"buy_currency": "USD", "buy_amount": 1e7}
    row |= {"sell_currency": "TRY", "sell_amount": 4.5e8}
    lira, dollar = (desk.quantlib.curves[name] for name in ("TRY.OIS", "USD.OIS"))
    paid, monday = ql.Date(22, 2, 2027), ql.Turkey().advance(desk.quantlib.today, 1, ql.Days)
    todays = SPOTS["USDTRY"] * lira.discount(monday) / dollar.discount(monday)
    found = [desk.value(FxForward(), row, conventions) for conventions in (AT_SPOT, TODAYS)]
    for value, spot in zip(found, (todays, SPOTS["USDTRY"]), strict=True):
        expected = 1e7 * spot * dollar.discount(paid) - 4.5e8 * lira.discount(paid)
        assert abs(value - expected) < TOLERANCE * 4.5e8
    assert -4e4 < (found[0] - found[1]) / SPOTS["USDTRY"] < -2e4


def test_resetting_cross_currency_swaps(desk: Desk) -> None:
    """Euros against dollars at 40 basis points, whose dollar notional follows the rate of each quarter's start."""
    row = days(start_date=date(2027, 1, 20), maturity_date=date(2032, 1, 20)) | {"calendar": "TARGET+USNY"}
    row |= {"business_day_convention": "modified_following", "exchange_notionals": True}
    euro = {"currency": "EUR", "notional": SIZE, "index": "ESTR", "spread": 0.004, "discount_curve": "EUR.6M"}
    dollar = {"currency": "USD", "notional": 1.16 * SIZE, "index": "SOFR", "spread": 0.0, "discount_curve": "EUR.OIS"}
    for leg, calendar in ((euro, "TARGET"), (dollar, "USNY")):
        leg |= NOTHING | {"frequency": "3M", "day_count": "ACT/360", "accrual_calendar": calendar, "payment_lag": 2}
        leg["payment_calendar"] = calendar
    row |= prefixed("receive_", euro) | prefixed("pay_", dollar)
    legs, spot = desk.quantlib, SPOTS["EURUSD"]

    def rate(day: Any) -> float:
        return float(spot * legs.curves["EUR.OIS"].discount(day) / legs.curves["USD.OIS"].discount(day))

    def leg_value(leg: Row, resets: bool) -> float:
        dates = list(legs.schedule(row, leg))
        notionals = [leg["notional"], *(SIZE * rate(day) if resets else leg["notional"] for day in dates[1:-1])]
        coupons = legs.floating(row, leg, leg["index"], notionals, leg["spread"])
        exchanged = zip(np.diff([0.0, *notionals, 0.0]), dates, strict=True)
        return legs.value(coupons, leg["discount_curve"]) - sum(
            legs.known(change, day, leg["discount_curve"]) for change, day in exchanged
        )

    def value(trade: Row) -> float:
        return spot * leg_value(euro, False) - leg_value(dollar, trade["reset_side"] == "pay")

    product = CrossCurrencySwap()
    found = [desk.value(product, row | {"reset_side": side}) for side in ("pay", None)]
    for side, ours in zip(("pay", None), found, strict=True):
        assert abs(ours - value({"reset_side": side})) < TOLERANCE * 10.0 * SIZE
    assert 1e5 < abs(found[0] - found[1]) < 1e7


def test_accrued_premium(desk: Desk) -> None:
    """A contract traded within a quarter, whose seller gives the premium since the 22nd of September back."""
    row = days(start_date=date(2026, 9, 22), maturity_date=date(2031, 12, 22), trade_date=date(2026, 11, 20))
    row |= days(upfront_date=date(2026, 11, 25)) | {"reference_entity": "ACME", "currency": "EUR"}
    row |= {"discount_curve": "EUR.OIS", "notional": SIZE, "protection": "buy", "spread": 0.01, "upfront": 0.02}
    row |= {"recovery": 0.4, "frequency": "3M", "day_count": "ACT/360", "calendar": "weekends"}

    def value(trade: Row) -> float:
        ends = (ql_date(trade["start_date"]), ql_date(trade["maturity_date"]), ql.Period("3M"), ql.WeekendsOnly())
        dates = ql.Schedule(*ends, ql.Following, ql.Unadjusted, ql.DateGeneration.Backward, False)
        terms = (SIZE, 0.02, 0.01, dates, ql.Following, ql.Actual360(), True, True, ends[0])
        more = (ql_date(trade["upfront_date"]), ql.FaceValueClaim(), ql.Actual360(), trade["rebates_accrual"])
        swap = ql.CreditDefaultSwap(ql.Protection.Buyer, *terms, *more, ql_date(trade["trade_date"]))
        swap.setPricingEngine(ql.MidPointCdsEngine(desk.survival, 0.4, desk.quantlib.curves["EUR.OIS"]))
        return float(swap.NPV())

    worth = desk.worth(CreditDefaultSwap(), value, row | {"rebates_accrual": True}, row | {"rebates_accrual": False})
    accrued = SIZE * 0.01 * 60 / 360.0 * desk.quantlib.curves["EUR.OIS"].discount(ql.Date(25, 11, 2026))
    assert worth == pytest.approx(accrued, rel=1e-9)
