"""What every measure of the catalogue must keep; and what the measures are, by hand and by brute force."""

from __future__ import annotations

import math

import defaults
import numpy as np
import pytest
from pydantic import TypeAdapter
from selections import pairs_one_in
from valuations import EVERY_MEASURE, OpenRun, open_run, same_bits, settings_at, trades_of, write_book

from riskpipe.arrays import FloatArray
from riskpipe.config.models import Measure
from riskpipe.market.conventions import Conventions
from riskpipe.market.labels import Labels
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.catalogue import FAMILIES, additive_measures, families, measures_of, valuation_measures
from riskpipe.measures.families import Bumps, Family
from riskpipe.measures.measure_names import (
    CASH_FLOWS,
    EXPLAIN,
    FIGURES,
    MEASURES,
    PNL_SETS,
    SENSITIVITIES,
    SIMULATED,
)
from riskpipe.measures.pnl_sets import pnl_sets
from riskpipe.products.catalogue import PRODUCTS, catalogue
from riskpipe.products.dependencies import dependencies
from riskpipe.store.parquet import read_parquet
from riskpipe.valuation.part import NOT_APPLICABLE, OK, SEVERAL, Part
from riskpipe.valuation.run_block import run_block

every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
NAMES = [product.name for product in PRODUCTS]
every_product = pytest.mark.parametrize("product", NAMES)
DIFFERENCES = ["bucketed_delta", "vega", "dv01", "bucketed_vega", "cs01", "bucketed_zero", "curve_dv01"]

SECOND_ORDER = {"cap_floor": 0.5, "swaption": 0.5, "swap": 0.02, "floating_rate_note": 0.02}  # options on rates; caps
SURFACES = {"black_vol", "normal_vol", "fx_vol"}
PAIRS = (("spot:SPX", "spot:EURUSD"), ("spot:SPX", "black_vol:SPX"))
BUMPS = Bumps(0.002, 0.03, normal_volatility=0.0002, rate=0.0005, hazard=0.0007, bucketed_spot=0.04, cross_gamma=PAIRS)


@pytest.fixture(scope="session")
def snapshot(sample: OpenRun) -> MarketSnapshot:
    return sample.context.snapshot


@pytest.fixture(scope="session")
def conventions(sample: OpenRun) -> Conventions:
    return sample.context.spec.conventions


@pytest.fixture(scope="session")
def parts(sample: OpenRun) -> dict[str, Part]:
    """Every measure of every trade of the sample, by product."""
    products = catalogue()
    return {p.name: sample.value(products[p.name], sample.trades(p.name)) for p in PRODUCTS}


# -- the catalogue


def test_names_are_unique_and_those_of_the_configuration() -> None:
    assert len(set(MEASURES)) == len(MEASURES)
    assert set(MEASURES) == set(TypeAdapter(Measure).json_schema()["enum"]) == set(EVERY_MEASURE)
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)
    assert tuple(name for family in FAMILIES for name in family.measures) == SENSITIVITIES
    assert set(additive_measures()) < set(valuation_measures()) < set(MEASURES)
    assert not {"delta", "gamma"} & set(additive_measures()), "numbers per unit of different spots do not add up"


@pytest.mark.parametrize("measure", [measure for measure in EVERY_MEASURE if measure != EXPLAIN])
def test_every_measure_has_columns(measure: str, sample: OpenRun) -> None:
    scenarios = sample.context.scenarios
    (name,) = (name for name in scenarios.sets if measure in measures_of(name))
    columns = scenarios.columns_of(name)

    assert columns.stop > columns.start


@pytest.mark.parametrize("measure", SENSITIVITIES)
def test_every_sensitivity_has_one_family(measure: str) -> None:
    (family,) = families((measure,))

    assert measure in family.measures
    assert measure in measures_of(family.name)


def test_every_figure_is_a_measure_that_some_product_makes() -> None:
    made = {figure for product in PRODUCTS for figure in product.figures}

    assert made == set(FIGURES)
    assert not made & set(additive_measures()), "prices and yields do not add up"


def test_figures_are_no_money(sample: OpenRun) -> None:
    block = next(block for block in sample.blocks_of("bond") if "yield" in block.measures)
    result = run_block(sample.task(block))
    table = read_parquet(sample.store, result.outputs["valuations"].path)
    rows = [row for row in table.to_pylist() if row["status"] == "ok"]

    assert {row["measure"] for row in rows} > set(FIGURES)
    for row in rows:
        is_money = row["measure"] not in FIGURES
        assert (row["currency"] is not None) == (row["value_base"] is not None) == is_money, row
    lacking = {row["message"] for row in table.to_pylist() if row["measure"] == "z_spread" and row["message"]}
    assert lacking == {f"only {FIGURES['z_spread']} have z_spread"}


@every_family
def test_subjects_bump_what_they_say(family: Family, snapshot: MarketSnapshot, conventions: Conventions) -> None:
    subjects = list(family.subjects(snapshot, BUMPS, conventions))

    assert subjects
    assert len({subject.label for subject in subjects}) == len(subjects)
    for subject in subjects:
        assert len(subject.levels) == family.width
        assert {snapshot.kinds[k] for k in subject.factors} <= set(family.kinds)
        assert len(set(subject.factors.tolist())) == len(subject.factors)
        for k, levels in enumerate(subject.levels):
            assert levels.shape == subject.factors.shape
            if len(levels) and (family.name, k) != ("theta_split", 1):  # the market as it is
                assert (levels != snapshot.x0[subject.factors]).any()
    moved = {int(k) for subject in subjects for k in subject.factors}
    due = {k for k, kind in enumerate(snapshot.kinds) if kind in family.kinds}
    if family.total != "none":  # risk reversals and butterflies are no volatilities, and move by point alone
        due -= {k for k, kind in enumerate(snapshot.kind_of_factor) if kind.volatility and not kind.positive}
    assert moved == due if len(set(family.kinds) & SURFACES) in (0, len(family.kinds)) else moved < due


def test_sizes_of_the_bumps(snapshot: MarketSnapshot, conventions: Conventions) -> None:
    sizes = {"vega": 0.03, "dv01": 0.0005, "cs01": 0.0007, "bucketed_vega": 0.03}
    for family in FAMILIES:
        for subject in family.subjects(snapshot, BUMPS, conventions):
            levels = snapshot.x0[subject.factors]
            if family.name in sizes:
                is_normal = snapshot.kinds[subject.factors[0]] == "normal_vol"
                size = BUMPS.normal_volatility if is_normal else sizes[family.name]
                np.testing.assert_allclose(subject.levels[0] - levels, size, rtol=1e-9)
            elif family.name == "spot":
                np.testing.assert_allclose(subject.levels[0] - levels, 0.002 * levels[0], rtol=1e-9)
                np.testing.assert_allclose(levels - subject.levels[1], 0.002 * levels[0], rtol=1e-9)
            elif family.name == "bucketed_delta":
                kind = snapshot.kinds[subject.factors[0]]
                size = {"zero_rate": 0.0005, "hazard_rate": 0.0007}.get(kind, 0.04 * levels[0])
                np.testing.assert_allclose(subject.levels[0] - levels, size, rtol=1e-9)


def test_dv01_moves_every_curve_of_a_currency_together(snapshot: MarketSnapshot, conventions: Conventions) -> None:
    (family,) = families(("dv01",))
    subjects = {subject.label: subject for subject in family.subjects(snapshot, BUMPS, conventions)}

    euro = [g for g in snapshot.groups if g.kind == "zero_rate" and g.currency == "EUR"]
    assert len(euro) > 1
    assert sorted(subjects["zero_rate:EUR"].factors) == sorted(k for g in euro for k in range(g.start, g.stop))


# -- brute force over the sample


def _bumped(sample: OpenRun, family: Family, k: int) -> dict[str, FloatArray]:
    """Label -> all levels in the subject's k-th column."""
    found = {}
    snapshot = sample.context.snapshot
    for subject in family.subjects(snapshot, defaults.BUMPS, sample.context.spec.conventions):
        x = snapshot.x0.copy()
        factors, levels = subject.factors, subject.levels[k]
        if not family.held:
            factors, levels, _ = sample.derivative.extend(factors, levels)
        x[factors] = levels
        found[subject.label] = x
    return found


@pytest.mark.parametrize(("product", "measure"), pairs_one_in(len(DIFFERENCES), NAMES, DIFFERENCES))
def test_sensitivities_are_differences_of_prices(
    product: str, measure: str, sample: OpenRun, parts: dict[str, Part], snapshot: MarketSnapshot
) -> None:
    """Each trade under each subject, priced one by one, whether or not it is said to depend on it."""
    (family,) = families((measure,))
    trades, part = sample.trades(product), parts[product]
    prepared = catalogue()[product].prepare(trades, sample.context.model())
    rows = np.arange(len(trades), dtype=np.int32)
    bumped = _bumped(sample, family, 0)
    x = np.ascontiguousarray(np.stack([snapshot.x0, *bumped.values()], axis=1))
    values = prepared.price(rows, x)
    expected = {label: values[:, k + 1] - values[:, 0] for k, label in enumerate(bumped)}

    found = {label: np.zeros(len(trades)) for label in bumped}
    for chunk in part.sensitivities:
        if chunk.measure == measure:
            found[chunk.factor][chunk.positions] += chunk.value
    for label in bumped:
        assert same_bits(found[label] + 0.0, expected[label] + 0.0), label
    if family.total == "sum":
        ok = part.statuses[measure] == OK
        total = sum(expected.values())
        np.testing.assert_allclose(part.values[measure][ok], total[ok], rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize(
    ("product", "measure"), pairs_one_in(4, NAMES, ["delta", "vega", "dv01", "cs01", "volga", "vanna", "rho"])
)
def test_trades_that_no_subject_touches_are_exactly_the_not_applicable_ones(
    product: str, measure: str, sample: OpenRun, parts: dict[str, Part], snapshot: MarketSnapshot
) -> None:
    (family,) = families((measure,))
    trades, part = sample.trades(product), parts[product]
    needs = dependencies(catalogue()[product], trades, sample.context.model(), "USD")
    touching = np.zeros(len(trades), np.int64)
    for subject in family.subjects(snapshot, defaults.BUMPS, sample.context.spec.conventions):
        asked = subject.factors[:1] if family.by_first else subject.factors
        factors = asked if family.held else sample.derivative.extend(asked, snapshot.x0[asked])[0]
        groups = np.unique(snapshot.group_of_factor[factors])
        touching[needs.touched(groups, len(snapshot.groups), converted=False)] += 1
    applicable = touching == 1 if family.total == "only" else touching > 0

    np.testing.assert_array_equal(part.statuses[measure] == OK, applicable)
    np.testing.assert_array_equal(np.isin(part.statuses[measure], (NOT_APPLICABLE, SEVERAL)), ~applicable)
    assert np.isnan(part.values[measure][~applicable]).all()
    assert part.failures == {}


WITHOUT_RATES = {"cash_balance", "equity_position", "commodity_future"}
"""Products with trades that no curve discounts or projects."""


def test_vanna_is_there_where_delta_is(parts: dict[str, Part]) -> None:
    """Every underlying of the sample's has a surface of its name; those of pairs move quanto options, too."""
    for product, part in parts.items():
        np.testing.assert_array_equal(part.statuses["vanna"], part.statuses["delta"], product)


def test_some_trades_are_without_each_measure_and_some_with_it(parts: dict[str, Part]) -> None:
    for measure in ("delta", "gamma", "vega", "cs01"):
        status = np.concatenate([part.statuses[measure] for part in parts.values()])
        assert {OK, NOT_APPLICABLE} == set(status.tolist()) - {SEVERAL}, measure
    for measure in ("pv", "theta", "stress", "historical_var"):
        assert all((part.statuses[measure] == OK).all() for part in parts.values())
    for product, part in parts.items():
        assert (part.statuses["dv01"] == OK).all() != (product in WITHOUT_RATES), product


@every_product
def test_bucketed_delta_adds_up_to_dv01(product: str, parts: dict[str, Part]) -> None:
    """To second order: a basis point over thirty years is 0.3 %; and a rate that fixes in days moves by few of them."""
    part = parts[product]
    buckets, gross = np.zeros(len(part.trades)), np.zeros(len(part.trades))
    for chunk in part.sensitivities:
        if chunk.measure == "bucketed_delta" and chunk.factor.startswith("zero_rate:"):
            buckets[chunk.positions] += chunk.value
            gross[chunk.positions] += np.abs(chunk.value)
    ok = part.statuses["dv01"] == OK

    assert ok.any() or product in WITHOUT_RATES
    assert (gross[~ok] == 0.0).all()
    error = np.abs(buckets - np.nan_to_num(part.values["dv01"]))
    np.testing.assert_array_less(error, SECOND_ORDER.get(product, 0.006) * gross + 1e-6)
    np.testing.assert_array_less(np.median(error - 0.02 * gross), 1e-6)


@every_product
def test_pnl_is_the_change_of_value_in_base_currency(
    product: str, sample: OpenRun, parts: dict[str, Part], snapshot: MarketSnapshot
) -> None:
    trades, part, scenarios = sample.trades(product), parts[product], sample.context.scenarios
    kind, model = catalogue()[product], sample.context.model()
    rows = np.arange(len(trades), dtype=np.int32)
    currency = kind.currency(trades)
    fx, position = model.fx(currency, Labels.constant("USD", len(trades)))
    for set_name in (each.name for each in pnl_sets(scenarios.sets)):
        columns = scenarios.columns_of(set_name)
        x = scenarios.levels(snapshot.x0, np.r_[0, columns.start : columns.stop])
        base = kind.prepare(trades, model).price(rows, x) * fx.evaluate(x)[position]
        np.testing.assert_allclose(
            part.pnl[set_name], base[:, 1:] - base[:, :1], rtol=0.0, atol=1e-12 * np.abs(base).max()
        )


@every_product
def test_pnl_of_an_untouched_trade_is_exactly_zero(
    product: str, sample: OpenRun, parts: dict[str, Part], snapshot: MarketSnapshot
) -> None:
    trades, part, scenarios = sample.trades(product), parts[product], sample.context.scenarios
    needs = dependencies(catalogue()[product], trades, sample.context.model(), "USD")
    columns = scenarios.columns_of("stress")
    indptr, groups = scenarios.touched_groups(np.arange(columns.start, columns.stop), snapshot)
    untouched = 0
    for k in range(columns.stop - columns.start):
        touched = needs.touched(groups[indptr[k] : indptr[k + 1]], len(snapshot.groups), converted=True)
        still = np.flatnonzero(~touched)
        assert same_bits(part.pnl["stress"][still, k], np.zeros(len(still)))
        untouched += len(still)
    assert untouched > 0


@pytest.mark.parametrize(("product", "first"), pairs_one_in(4, NAMES, range(4)))
def test_no_measure_changes_another(product: str, first: int, sample: OpenRun, parts: dict[str, Part]) -> None:
    trades, whole = sample.trades(product), parts[product]

    for measure in EVERY_MEASURE[first::4]:
        alone = sample.value(catalogue()[product], trades, (measure,))
        assert set(alone.values) == {measure} - {CASH_FLOWS, EXPLAIN}  # EXPLAIN: there is no earlier day
        assert all(same_bits(values, whole.values[measure]) for values in alone.values.values()), measure
        if measure == CASH_FLOWS:
            assert alone.flows is not None
            assert whole.flows is not None
            assert same_bits(alone.flows.value, whole.flows.value)
        for set_name, pnl in alone.pnl.items():
            assert same_bits(pnl, whole.pnl[set_name])


# -- by hand


def _black_scholes(spot: float, vol: float, rate: float, dividend: float, time: float, strike: float) -> float:
    """A European call (Black and Scholes 1973, Merton 1973)."""
    forward, deviation = spot * math.exp((rate - dividend) * time), vol * math.sqrt(time)
    d1 = math.log(forward / strike) / deviation + 0.5 * deviation
    cdf = [0.5 * math.erfc(-d / math.sqrt(2.0)) for d in (d1, d1 - deviation)]
    return math.exp(-rate * time) * (forward * cdf[0] - strike * cdf[1])


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Part]:
    """One call on a stock in euro, one FX forward, one zero bond of a risky issuer; flat curves."""
    directory = tmp_path_factory.mktemp("by-hand")
    products = catalogue()
    call = {
        "underlying": "ACME", "currency": "EUR", "quantity": 1000.0, "option_type": "call", "strike": 100.0,
        "expiry_date": _date(365), "exercise": "european",
    }  # fmt: skip
    forward = {
        "buy_currency": "EUR", "buy_amount": 1e6, "sell_currency": "USD", "sell_amount": 1.2e6,
        "delivery_date": _date(730),
    }  # fmt: skip
    flat = {("USD.OIS", "USD"): 0.03, ("EUR.OIS", "EUR"): 0.02}
    market = [
        {"kind": "spot", "name": "ACME", "value": 105.0, "currency": "EUR"},
        {"kind": "spot", "name": "EURUSD", "value": 1.25, "currency": "USD"},
        {"kind": "dividend_yield", "name": "ACME", "tenor": "1Y", "value": 0.01, "currency": "EUR"},
        {"kind": "black_vol", "name": "ACME", "tenor": "1Y", "value": 0.2, "strike_type": "atm", "currency": "EUR"},
        *(
            {"kind": "zero_rate", "name": name, "tenor": tenor, "value": rate, "currency": currency}
            for (name, currency), rate in flat.items()
            for tenor in ("1Y", "2Y")
        ),
    ]
    stresses = [
        {"scenario": "stock down", "factor": "spot:ACME", "shift_type": "relative", "shift": -0.2},
        {"scenario": "euro up", "factor": "spot:EURUSD", "shift_type": "relative", "shift": 0.1},
    ]
    trades = {
        "equity_option": trades_of(products["equity_option"], [call]),
        "fx_forward": trades_of(products["fx_forward"], [{**forward, "trade_id": "F"}]),
    }
    book = write_book(directory / "book", trades, market, scenarios=stresses)
    wanted = [m for m in EVERY_MEASURE if m not in ("historical_var", *SIMULATED)]
    pairs = "bumps.cross_gamma=[[spot:ACME, black_vol:ACME]]"
    run = open_run(settings_at(book, directory / "output", f"measures=[{', '.join(wanted)}]", pairs))
    return {name: run.value(products[name], run.trades(name), wanted) for name in trades}


def _date(days: int) -> object:
    return np.datetime64("2026-11-20").astype("datetime64[D]").astype(object) + np.timedelta64(days, "D").astype(object)


def _value(part: Part, measure: str) -> float:
    assert part.statuses[measure][0] == OK
    return float(part.values[measure][0])


def test_option_by_hand(by_hand: dict[str, Part]) -> None:
    part = by_hand["equity_option"]
    spot, vol, rate, dividend, time, strike = market = (105.0, 0.2, 0.02, 0.01, 1.0, 100.0)
    base = _black_scholes(*market)
    up, down = (_black_scholes(spot * (1.0 + h), *market[1:]) for h in (0.001, -0.001))
    h = 0.001 * spot

    assert _value(part, "pv") == pytest.approx(1000 * base, rel=1e-13)
    assert _value(part, "delta") == pytest.approx(1000 * (up - down) / (2 * h), rel=1e-10)
    assert _value(part, "gamma") == pytest.approx(1000 * (up - 2 * base + down) / h**2, rel=1e-7)
    d1 = (math.log(spot / strike) + (rate - dividend + vol**2 / 2) * time) / (vol * math.sqrt(time))
    density = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi)
    cdf = 0.5 * math.erfc(-d1 / math.sqrt(2))
    assert _value(part, "delta") == pytest.approx(1000 * math.exp(-dividend) * cdf, rel=1e-5)
    assert _value(part, "gamma") == pytest.approx(1000 * math.exp(-dividend) * density / (spot * vol), rel=1e-4)
    assert _value(part, "vega") == pytest.approx(1000 * (_black_scholes(spot, 0.21, *market[2:]) - base), rel=1e-10)
    assert _value(part, "vega") == pytest.approx(1000 * 0.01 * spot * math.exp(-dividend) * density, rel=0.01)
    bumped = _black_scholes(spot, vol, rate + 1e-4, dividend, time, strike)
    assert _value(part, "dv01") == pytest.approx(1000 * (bumped - base), rel=1e-8)
    later = _black_scholes(spot, vol, rate, dividend, 364 / 365, strike)
    assert _value(part, "theta") == pytest.approx(1000 * (later - base), rel=1e-9)
    assert _value(part, "theta") < 0.0
    assert part.statuses["cs01"][0] == NOT_APPLICABLE


def test_stress_of_the_option_by_hand(by_hand: dict[str, Part]) -> None:
    """In dollars: the stock by revaluation, the euro by conversion."""
    part = by_hand["equity_option"]
    base, shocked = (1000 * _black_scholes(s, 0.2, 0.02, 0.01, 1.0, 100.0) for s in (105.0, 84.0))

    np.testing.assert_allclose(part.pnl["stress"][0], [1.25 * (shocked - base), 0.125 * base], rtol=1e-11)


def test_forward_by_hand(by_hand: dict[str, Part]) -> None:
    part = by_hand["fx_forward"]
    euro, dollar = 1e6 * math.exp(-0.02 * 2), 1.2e6 * math.exp(-0.03 * 2)
    value, scale = (1.25 * euro - dollar, 1.0) if part.currency == ["USD"] else (euro - dollar / 1.25, 1.25)

    assert _value(part, "pv") == pytest.approx(value, rel=1e-12)
    rates = 1.25 * euro * math.expm1(-2e-4) - dollar * math.expm1(-2e-4)
    assert _value(part, "dv01") * scale == pytest.approx(rates, rel=1e-8)
    per_currency = {c.factor: c.value[0] * scale for c in part.sensitivities if c.measure == "dv01"}
    assert per_currency["zero_rate:EUR"] == pytest.approx(1.25 * euro * math.expm1(-2e-4), rel=1e-8)
    assert per_currency["zero_rate:USD"] == pytest.approx(-dollar * math.expm1(-2e-4), rel=1e-8)
    days = 1 / 365
    one_day = 1.25 * euro * math.expm1(0.02 * days) - dollar * math.expm1(0.03 * days)
    assert _value(part, "theta") * scale == pytest.approx(one_day, rel=1e-8)
    if part.currency == ["USD"]:
        assert _value(part, "delta") == pytest.approx(euro, rel=1e-10)
        assert _value(part, "gamma") == pytest.approx(0.0, abs=1e-3)
    np.testing.assert_allclose(part.pnl["stress"][0], [0.0, 0.125 * euro], rtol=1e-11)
    assert part.pnl["stress"][0, 0] == 0.0
    without = {m for m in part.statuses if part.statuses[m][0] == NOT_APPLICABLE}
    assert without >= {"vega", "cs01", "bucketed_vega"}
    assert not without & {"pv", "delta", "gamma", "dv01", "theta", "bucketed_delta", *PNL_SETS}
