"""Curves of ORE's quotes against QuantLib's own bootstrap of the same instruments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import ore_inputs
import pytest
import QuantLib as ql  # noqa: N813
from ore_inputs import write_inputs

from riskpipe.importers.book import Book
from riskpipe.importers.import_report import Report
from riskpipe.importers.ore.ore_market import OreMarket
from riskpipe.importers.ore.setup import find_setup, read_setup
from riskpipe.market.bootstrap.quantlib import TIME, to_date


@pytest.fixture(scope="module")
def ore(tmp_path_factory: pytest.TempPathFactory) -> OreMarket:
    directory = tmp_path_factory.mktemp("curves")
    # Without fixings: what is fixed today is projected, as QuantLib's helpers have it.
    write_inputs(directory, fixings="")
    setup = read_setup(find_setup(directory))
    return OreMarket(setup, Book(setup.as_of, "EUR"), Report())


@pytest.fixture(autouse=True)
def evaluation_date(ore: OreMarket) -> Iterator[None]:
    with ql.SavedSettings():
        ql.Settings.instance().evaluationDate = to_date(ore.as_of)
        yield


def _curve(helpers: list[Any], as_of: int) -> Any:
    return ql.PiecewiseLogLinearDiscount(to_date(as_of), helpers, TIME, ql.IterativeBootstrap(1e-15))


def _quote(value: float) -> Any:
    return ql.QuoteHandle(ql.SimpleQuote(value))


def _overnight(index: Any, first: float, rates: tuple[float, ...], lag: int, as_of: int) -> Any:
    deposit = ql.DepositRateHelper(
        _quote(first), ql.Period("1D"), 0, index.fixingCalendar(), ql.Following, False, ql.Actual360()
    )
    swaps = [
        ql.OISRateHelper(2, ql.Period(tenor), _quote(rate), index, paymentLag=lag, paymentFrequency=ql.Annual)
        for tenor, rate in zip(ore_inputs.TENORS, rates, strict=True)
    ]
    return _curve([deposit, *swaps], as_of)


@pytest.mark.parametrize(
    ("curve_id", "index", "first", "rates", "lag"),
    [
        ("EUR1D", ql.Estr(), 0.0193, ore_inputs.ESTER, 1),
        ("USD1D", ql.Sofr(), 0.0433, ore_inputs.SOFR, 2),
    ],
)
def test_overnight_curves(
    ore: OreMarket, curve_id: str, index: Any, first: float, rates: tuple[float, ...], lag: int
) -> None:
    expected = _overnight(index, first, rates, lag, ore.as_of)
    found = ore.curves.get(curve_id).curve

    days = ore.as_of + np.arange(1, 7200, 30)
    wanted = [expected.discount(to_date(int(day)), True) for day in days]
    np.testing.assert_allclose(found.discount(days), wanted, rtol=0, atol=1e-11)


def test_term_curves(ore: OreMarket) -> None:
    discount = _overnight(ql.Estr(), 0.0193, ore_inputs.ESTER, 1, ore.as_of)
    index = ql.Euribor6M()
    helpers = [
        ql.DepositRateHelper(_quote(0.0205), index),
        *(
            ql.SwapRateHelper(
                _quote(rate),
                ql.Period(tenor),
                ql.TARGET(),
                ql.Annual,
                ql.ModifiedFollowing,
                ql.Thirty360(ql.Thirty360.USA),
                index,
                ql.QuoteHandle(),
                ql.Period("0D"),
                ql.YieldTermStructureHandle(discount),
            )
            for tenor, rate in ore_inputs.SWAPS.items()
        ),
    ]
    expected = _curve(helpers, ore.as_of)
    found = ore.curves.get("EUR6M").curve

    days = ore.as_of + np.arange(1, 7200, 30)
    wanted = [expected.discount(to_date(int(day)), True) for day in days]
    np.testing.assert_allclose(found.discount(days), wanted, rtol=0, atol=1e-11)


def test_forward_points(ore: OreMarket) -> None:
    """The curve under collateral in euro gives the quoted forwards from spot date to spot date."""
    own, euro = ore.curves.get("USD-IN-EUR").curve, ore.curves.get("EUR1D").curve
    calendar = ql.JointCalendar(ql.TARGET(), ql.UnitedStates(ql.UnitedStates.Settlement))
    spot = calendar.advance(to_date(ore.as_of), 2, ql.Days)
    for tenor, points in ore_inputs.POINTS.items():
        dates = [spot, calendar.advance(spot, ql.Period(tenor))]
        days = np.array([ore.as_of + (date - to_date(ore.as_of)) for date in dates])
        ratio = euro.discount(days) / own.discount(days)
        assert 1.1557 * ratio[1] / ratio[0] - 1.1557 == pytest.approx(points / 10_000, abs=1e-12)
