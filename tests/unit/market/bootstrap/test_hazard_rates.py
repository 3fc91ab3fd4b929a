"""Hazard curves from spreads: at their quotes, QuantLib's curve between pillars, exact derivatives."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from msgspec.structs import replace
from par_quotes import AS_OF, CONVENTIONS, CREDIT, EVERY_KIND, cds_spreads, point, table_of

from riskpipe.market.bootstrap.contracts import CreditTerms, standard_contract
from riskpipe.market.bootstrap.quantlib import to_date, valued_at
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import Derivation, derive
from riskpipe.market.factors import date_of, days_of
from riskpipe.market.labels import Labels
from riskpipe.market.model import MarketModel
from riskpipe.market.producers import PRODUCERS
from riskpipe.market.snapshot import MarketSnapshot

TODAY = to_date(AS_OF)
FLAT = [point("zero_rate", "USD.OIS", 0.03, "30Y", "USD")]
MODELS = pytest.mark.parametrize("model", ["midpoint", "isda"])


def _made(rows: list, conventions: Conventions) -> Derivation:
    found = derive(table_of(rows), PRODUCERS, AS_OF, conventions)
    assert found.faults == ()
    return found


@pytest.mark.parametrize("recovery", [None, 0.25])
def test_spreads_are_quantlib_s_curve(recovery: float | None) -> None:
    """The standard contract, spelt out on a flat discount curve; without a recovery it is 40 %."""
    rows = FLAT + cds_spreads("ACME", CREDIT) + ([point("recovery", "ACME", recovery)] if recovery else [])
    found = _made(rows, Conventions())
    with valued_at(AS_OF):
        flat = ql.YieldTermStructureHandle(ql.FlatForward(TODAY, 0.03, ql.Actual365Fixed()))
        helpers = [
            ql.SpreadCdsHelper(
                ql.QuoteHandle(ql.SimpleQuote(spread)),
                ql.Period(tenor),
                0,
                ql.WeekendsOnly(),
                ql.Quarterly,
                ql.Following,
                ql.DateGeneration.CDS2015,
                ql.Actual360(),
                recovery or 0.4,
                flat,
                True,
                True,
                ql.Date(),
                ql.Actual360(True),
                True,
                ql.CreditDefaultSwap.Midpoint,
            )
            for tenor, spread in CREDIT.items()
        ]
        curve = ql.PiecewiseFlatHazardRate(TODAY, helpers, ql.Actual365Fixed(), ql.IterativeBootstrap(1e-15))
        days = AS_OF + np.arange(1, helpers[-1].pillarDate().serialNumber() - TODAY.serialNumber() + 4000, 11)
        expected = [curve.survivalProbability(to_date(int(day)), True) for day in days]
        implied = [helper.impliedQuote() for helper in helpers]
    assert implied == pytest.approx(list(CREDIT.values()), abs=1e-12)
    assert _survival(found, days, Conventions()) == pytest.approx(expected, abs=1e-12)


def _survival(found: Derivation, days: np.ndarray, conventions: Conventions) -> np.ndarray:
    snapshot = MarketSnapshot.from_table(found.table, AS_OF)
    dates = Labels.constant("ACME", len(days)), days.astype(np.int32)
    nodes, (at,) = MarketModel(snapshot, conventions).discount(dates, kind="hazard_rate")
    return nodes.evaluate(snapshot.x0[:, None])[at, 0]


@MODELS
def test_beyond_the_last_quote_the_forward_rate_is_flat_or_the_zero_rate_where_the_configuration_says_so(
    model: str,
) -> None:
    found = _made(FLAT + cds_spreads("ACME", CREDIT), Conventions(credit_model=model))
    (group,) = found.groups
    last = int((np.datetime64(group.points.column("tenor")[-1].as_py()) - np.datetime64("1970-01-01")).astype(int))
    days = last + np.array([-30, 0, 30, 60, 3650])
    logarithm = -np.log(_survival(found, days, Conventions()))
    forward = np.diff(logarithm) / np.diff(days)
    assert forward == pytest.approx([forward[0]] * 4, rel=1e-9)
    flat_zero = Conventions(curve_extrapolation={"ACME": "flat_zero"})
    zero = -np.log(_survival(found, days, flat_zero)) / (days - AS_OF)
    assert zero[1:] == pytest.approx([zero[1]] * 4, rel=1e-12)
    given = Derivation(table_of(FLAT + [point("hazard_rate", "ACME", 0.01 * k, f"{k}Y") for k in (1, 2)]))
    days = AS_OF + np.array([800, 8000])
    flat = -np.log(_survival(given, days, Conventions())) / (days - AS_OF) * 365.0
    assert flat == pytest.approx([0.02, 0.02], rel=1e-12)
    ahead = -np.log(_survival(given, days, Conventions(curve_extrapolation={"ACME": "flat_forward"})))
    forward = (0.02 * 731 - 0.01 * 365) / 366
    assert np.diff(ahead) * 365.0 / 7200.0 == pytest.approx([forward], rel=1e-12)


@MODELS
@pytest.mark.parametrize("spread", [0.5, 0.8, 1.5])
def test_a_distressed_name_has_a_hazard_rate_above_one(model: str, spread: float) -> None:
    found = _made(FLAT + cds_spreads("ACME", dict.fromkeys(CREDIT, spread)), Conventions(credit_model=model))
    hazards = found.groups[0].points.column("value").to_pylist()
    assert hazards == pytest.approx([spread / 0.6] * len(CREDIT), rel=0.05)
    assert min(hazards) > 0.8


@pytest.mark.parametrize("as_of", [date(2026, 11, 20), date(2026, 3, 19), date(2026, 6, 20)])
def test_six_months_between_coupons_are_counted_back_from_maturity(as_of: date) -> None:
    terms = CreditTerms(
        "USD.OIS", "log_linear_discount", "flat_zero", "weekends", "unadjusted", 0, "6M", "ACT/360", False
    )
    for maturity in (date(2031, 6, 20), date(2031, 12, 20)):
        contract = standard_contract(days_of(maturity), days_of(as_of), terms)
        assert {(date_of(int(day)).month, date_of(int(day)).day) for day in contract.end} == {(6, 20), (12, 20)}
        assert date_of(int(contract.start[0])) <= as_of < date_of(int(contract.end[0]))
        assert contract.years[:-1] == pytest.approx((contract.end - contract.start)[:-1] / 360.0)
        assert contract.years[-1] == pytest.approx((contract.end[-1] - contract.start[-1] + 1) / 360.0)


@MODELS
def test_derivatives_are_those_of_another_bootstrap(model: str) -> None:
    found = _made(EVERY_KIND, replace(CONVENTIONS, credit_model=model))
    credit = [group for group in found.groups if group.points.column("kind")[0].as_py() == "hazard_rate"]
    level = {row["factor"]: row["value"] for row in found.table.to_pylist()}
    assert len(credit) == 2
    assert "recovery:GLOBEX" in credit[1].inputs
    assert "recovery:ACME" not in credit[0].inputs
    for group in credit:
        assert group.revalue is not None
        levels = np.array([level[factor] for factor in group.inputs])
        step = 1e-6
        for k in range(len(levels)):
            up, down = levels.copy(), levels.copy()
            up[k] += step
            down[k] -= step
            difference = (group.revalue(up) - group.revalue(down)) / (2.0 * step)
            assert group.slope[:, k] == pytest.approx(difference, abs=2e-9), group.inputs[k]
