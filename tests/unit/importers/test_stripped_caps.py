"""Volatilities of single rates between the days and strikes of the caps that they are stripped from."""

from __future__ import annotations

import numpy as np
import pytest

from riskpipe.importers.ore.stripped_caps import Optionlets, Rates, strip_linear

DAYS, STRIKES = np.array([180.0, 360.0, 720.0]), np.array([0.01, 0.02, 0.04])
ROWS = np.array([[0.008, 0.006, 0.010]]) + 0.0001 * DAYS[:, None] / 180.0


def test_on_its_points_it_is_what_was_stripped() -> None:
    surface = Optionlets(DAYS, STRIKES, ROWS, flat=False)
    found = [surface.at(DAYS, strike) for strike in STRIKES]
    np.testing.assert_allclose(found, ROWS.T, rtol=1e-14)


def test_between_strikes_it_is_a_cubic_of_kruger() -> None:
    surface = Optionlets(DAYS[:1], STRIKES, ROWS[:1], flat=False)
    low, high = ROWS[0, 0], ROWS[0, 1]
    # Slopes turn at the middle strike: zero there, and half as much again as the chord at the first.
    slope = 1.5 * (high - low) / 0.01
    expected = 0.5 * (low + high) + 0.125 * 0.01 * slope
    assert surface.at(DAYS[:1], 0.015)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("flat", [True, False])
def test_beyond_the_last_strike(flat: bool) -> None:
    surface = Optionlets(DAYS, STRIKES, ROWS, flat)
    assert np.isclose(surface.at(DAYS, 0.05)[1], ROWS[1, 2], rtol=1e-12) == flat


def test_volatilities_that_are_linear_between_caps_reprice_them() -> None:
    days = np.array([180.0, 360.0, 540.0, 720.0, 900.0])
    rates = Rates(days, np.linspace(0.02, 0.03, 5), np.full(5, 0.48))
    caps = [(1, np.array([0.009, 0.008])), (3, np.array([0.010, 0.0085])), (5, np.array([0.0095, 0.009]))]
    surface = strip_linear(rates, np.array([0.02, 0.03]), caps)

    assert surface.days.tolist() == [180.0, 540.0, 900.0]
    for count, quoted in caps:
        some = rates.first(count)
        for strike, volatility in zip((0.02, 0.03), quoted, strict=True):
            found = surface.at(some.days, strike)
            assert some.premium(strike, found) == pytest.approx(
                some.premium(strike, np.full(count, volatility)), rel=1e-10
            )


def test_caps_that_no_volatility_reprices_leave_none() -> None:
    rates = Rates(np.array([180.0, 3600.0]), np.array([0.02, 0.02]), np.array([0.5, 0.001]))
    surface = strip_linear(rates, np.array([0.02]), [(1, np.array([0.02])), (2, np.array([0.001]))])
    assert np.isnan(surface.at(np.array([3600.0]), 0.02)[0])
    assert surface.volatilities[0, 0] == pytest.approx(0.02)
