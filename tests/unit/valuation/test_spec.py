"""The specification on its way to the workers."""

from __future__ import annotations

from datetime import date

from defaults import BUMPS

from riskpipe.market.conventions import Conventions, CurveConvention, IndexConvention, SurfaceConvention
from riskpipe.valuation.spec import ValuationSpec


def test_round_trip_keeps_every_convention() -> None:
    conventions = Conventions(
        base_currency="EUR",
        discount_curves={"EUR": "EUR.ESTR"},
        indices={"EUR.ESTR": IndexConvention("EUR.ESTR", "EUR.ESTR", overnight=True)},
        curve_interpolation={"EUR.ESTR": "linear_zero"},
        curve_extrapolation={"ACME": "flat_zero"},
        surfaces={"EURUSD": SurfaceConvention("cubic_spline", premium_adjusted=True, strangle="market")},
        curves={"EUR.ESTR": CurveConvention(index_tenor="1D")},
        credit_model="isda",
    )
    spec = ValuationSpec(
        run_id="r", as_of=date(2026, 11, 20), measures=("pv", "vega"), bumps=BUMPS, conventions=conventions,
        portfolio="portfolio", files={}, selection=(("book:a", "product:b"),), stored_pnl=("stress",),
        config_sha256="c", inputs_sha256="i", engine_version="v",
    )  # fmt: skip
    assert ValuationSpec.from_json(spec.to_json()) == spec
