"""Hazard curves from spreads: at their quotes, QuantLib's curve between pillars, exact derivatives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from par_quotes import AS_OF, CONVENTIONS, CREDIT, EVERY_KIND, cds_spreads, point, table_of

from riskpipe.market.bootstrap.quantlib import to_date, valued_at
from riskpipe.market.conventions import Conventions
from riskpipe.market.derived import Derivation, derive
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


@MODELS
@pytest.mark.parametrize("recovery", [None, 0.25])
def test_spreads_are_quantlib_s_curve(model: str, recovery: float | None) -> None:
    """The standard contract, spelt out on a flat discount curve; without a recovery it is 40 %."""
    rows = FLAT + cds_spreads("ACME", CREDIT) + ([point("recovery", "ACME", recovery)] if recovery else [])
    found = _made(rows, Conventions(credit_model=model))
    with valued_at(AS_OF):
        flat = ql.YieldTermStructureHandle(ql.FlatForward(TODAY, 0.03, ql.Actual365Fixed()))
        kind = ql.CreditDefaultSwap.ISDA if model == "isda" else ql.CreditDefaultSwap.Midpoint
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
                ql.Actual360(),
                True,
                kind,
            )
            for tenor, spread in CREDIT.items()
        ]
        curve = ql.PiecewiseFlatHazardRate(TODAY, helpers, ql.Actual365Fixed(), ql.IterativeBootstrap(1e-15))
        days = AS_OF + np.arange(1, helpers[-1].pillarDate().serialNumber() - TODAY.serialNumber(), 11)
        expected = [curve.survivalProbability(to_date(int(day))) for day in days]
        implied = [helper.impliedQuote() for helper in helpers]
    assert implied == pytest.approx(list(CREDIT.values()), abs=1e-12)
    snapshot = MarketSnapshot.from_table(found.table, AS_OF)
    days = days.astype(np.int32)
    nodes, (at,) = MarketModel(snapshot, Conventions()).discount(
        (Labels.constant("ACME", len(days)), days), kind="hazard_rate"
    )
    assert nodes.evaluate(snapshot.x0[:, None])[at, 0] == pytest.approx(expected, abs=1e-12)


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
