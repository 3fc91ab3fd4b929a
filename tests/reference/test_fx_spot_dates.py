"""Exchange rates of their spot dates, against QuantLib's calendars, discount factors and Black's formula."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from valuations import open_run, settings_at, trades_of, write_book

from riskpipe.market.conventions import Conventions, FxPairConvention
from riskpipe.market.factors import date_of, days_of
from riskpipe.market.fx_dates import CALENDAR_OF, spot_dates
from riskpipe.products.catalogue import catalogue
from riskpipe.store.parquet import read_parquet
from riskpipe.valuation.part import Part

CENTRES = {
    "USD": ql.UnitedStates(ql.UnitedStates.FederalReserve),
    "EUR": ql.TARGET(),
    "GBP": ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
    "JPY": ql.Japan(),
    "CAD": ql.Canada(),
    "CHF": ql.Switzerland(),
    "TRY": ql.Turkey(),
}


def _quantlib(day: date) -> Any:
    return ql.Date(day.day, day.month, day.year)


@pytest.mark.parametrize("pair", ["EURUSD", "USDJPY", "USDCAD", "USDTRY", "EURGBP", "CADJPY", "GBPCHF"])
def test_spot_dates_over_ten_years(pair: str) -> None:
    """Day by day: business days of the currencies but the dollar are counted, and the last is one of both."""
    first, second = CENTRES[pair[:3]], CENTRES[pair[3:]]
    counted = [CENTRES[c] for c in (pair[:3], pair[3:]) if c != "USD"]
    lag = 1 if pair in ("USDCAD", "USDTRY") else 2
    days = np.arange(days_of(date(2020, 1, 1)), days_of(date(2030, 1, 1)), dtype=np.int32)
    for day, found in zip(days.tolist(), spot_dates(pair, days).tolist(), strict=True):
        at, left = _quantlib(date_of(day)), lag
        while left or not (first.isBusinessDay(at) and second.isBusinessDay(at)):
            at += 1
            left -= bool(left) and all(centre.isBusinessDay(at) for centre in counted)
        assert at == _quantlib(date_of(found)), (pair, date_of(day))


@pytest.mark.parametrize(
    ("pair", "day", "spot"),
    [
        ("EURUSD", date(2026, 11, 20), date(2026, 11, 24)),
        ("USDCAD", date(2026, 11, 20), date(2026, 11, 23)),
        ("EURUSD", date(2026, 11, 25), date(2026, 11, 27)),  # over Thanksgiving
        ("EURUSD", date(2026, 11, 24), date(2026, 11, 27)),  # Thanksgiving itself is none
        ("EURUSD", date(2026, 4, 1), date(2026, 4, 7)),  # over Easter
    ],
)
def test_spot_dates_by_hand(pair: str, day: date, spot: date) -> None:
    for name in (pair, pair[3:] + pair[:3]):
        assert date_of(int(spot_dates(name, np.array([days_of(day)], np.int32))[0])) == spot


def test_every_listed_currency_has_a_calendar() -> None:
    for currency in CALENDAR_OF:
        if currency != "USD":
            assert len(spot_dates(f"{currency}USD", np.array([20_000], np.int32))) == 1


@pytest.mark.parametrize(
    ("pair", "convention", "day", "spot"),
    [
        ("USDMXN", FxPairConvention(), date(2026, 11, 20), date(2026, 11, 24)),
        ("USDMXN", FxPairConvention(spot_lag=1), date(2026, 11, 20), date(2026, 11, 23)),
        ("USDTRY", FxPairConvention(spot_lag=0), date(2026, 11, 20), date(2026, 11, 20)),
        ("USDTRY", FxPairConvention(spot_lag=0), date(2026, 11, 21), date(2026, 11, 23)),
        # No holiday of euro or sterling; that of the dollar is none of theirs, unless the pair says so.
        ("EURGBP", FxPairConvention(), date(2026, 11, 24), date(2026, 11, 26)),
        ("EURGBP", FxPairConvention(calendar="TARGET+GBLO+USNY"), date(2026, 11, 24), date(2026, 11, 27)),
    ],
)
def test_a_pair_with_a_convention_of_its_own(pair: str, convention: FxPairConvention, day: date, spot: date) -> None:
    conventions = Conventions(fx_pairs={pair: convention})
    for name in (pair, pair[3:] + pair[:3]):
        found = spot_dates(name, np.array([days_of(day)], np.int32), conventions.fx_pair(name))
        assert date_of(int(found[0])) == spot


AS_OF = date(2026, 11, 20)
RATES = {"USD": 0.08, "EUR": 0.02, "CAD": 0.05, "JPY": -0.01}
SPOTS = {"EURUSD": 1.25, "USDCAD": 1.4, "USDJPY": 150.0}
SPOT_DATES = {"EURUSD": date(2026, 11, 24), "USDCAD": date(2026, 11, 23), "USDJPY": date(2026, 11, 25)}
"""Of Friday: on Monday, the 23rd, Japan has a holiday."""
EXPIRY, DELIVERY = AS_OF + timedelta(days=363), AS_OF + timedelta(days=365)


def _discount(currency: str, day: date) -> float:
    curve = ql.FlatForward(_quantlib(AS_OF), RATES[currency], ql.Actual365Fixed())
    return float(curve.discount(_quantlib(day)))


def _today(pair: str, spots: Mapping[str, float] = SPOTS) -> float:
    """Of a quoted pair."""
    at = SPOT_DATES[pair]
    return spots[pair] * _discount(pair[3:], at) / _discount(pair[:3], at)


def _market(*more: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        *({"kind": "spot", "name": k, "value": v, "currency": k[3:]} for k, v in SPOTS.items()),
        *(
            {"kind": "zero_rate", "name": f"{currency}.OIS", "tenor": tenor, "value": rate, "currency": currency}
            for currency, rate in RATES.items()
            for tenor in ("1M", "2Y")
        ),
        *more,
    ]


def _part(
    directory: Path, product: str, row: Mapping[str, Any], measures: str, *assignments: str, market: Any = None
) -> Part:
    kind = catalogue()[product]
    trades = trades_of(kind, [dict(row)])
    stresses = [{"scenario": "rates", "factor": "zero_rate:USD.*:*", "shift_type": "absolute", "shift": 0.02}]
    book = write_book(directory / "book", {product: trades}, market or _market(), scenarios=stresses)
    settings = settings_at(book, directory / "out", f"measures=[{measures}]", "market.fx_spot=spot_date", *assignments)
    run = open_run(settings)
    return run.value(kind, run.trades(product), measures.split(", "))


@pytest.mark.parametrize(
    ("bought", "sold", "rate"),
    [
        ("EUR", "USD", lambda: _today("EURUSD")),
        ("CAD", "USD", lambda: 1 / _today("USDCAD")),
        ("EUR", "CAD", lambda: _today("EURUSD") * _today("USDCAD")),
        ("EUR", "JPY", lambda: _today("EURUSD") * _today("USDJPY")),
    ],
)
def test_a_forward(bought: str, sold: str, rate: Any, tmp_path: Path) -> None:
    row = {
        "buy_currency": bought, "buy_amount": 1e6, "sell_currency": sold, "sell_amount": 1.1e6,
        "delivery_date": DELIVERY,
    }  # fmt: skip
    part = _part(tmp_path, "fx_forward", row, "pv")
    expected = 1e6 * _discount(bought, DELIVERY) * rate() - 1.1e6 * _discount(sold, DELIVERY)
    assert part.values["pv"][0] == pytest.approx(expected, rel=1e-11)
    to_dollars = {"USD": 1.0, "CAD": 1 / _today("USDCAD"), "JPY": 1 / _today("USDJPY")}[sold]
    assert part.conversion[0] == pytest.approx(to_dollars, rel=1e-13)


def test_what_is_exchanged_on_the_spot_date_at_spot_is_worth_nothing(tmp_path: Path) -> None:
    row = {
        "buy_currency": "EUR", "buy_amount": 1e6, "sell_currency": "USD", "sell_amount": 1.25e6,
        "delivery_date": SPOT_DATES["EURUSD"],
    }  # fmt: skip
    part = _part(tmp_path, "fx_forward", row, "pv")
    assert part.values["pv"][0] == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("name", ["EURUSD", "USDEUR"])
def test_a_forward_of_a_pair_that_is_exchanged_on_the_next_day(name: str, tmp_path: Path) -> None:
    row = {
        "buy_currency": "EUR", "buy_amount": 1e6, "sell_currency": "USD", "sell_amount": 1.25e6,
        "delivery_date": date(2026, 11, 23),
    }  # fmt: skip
    part = _part(tmp_path, "fx_forward", row, "pv", f"market.fx_pairs.{name}.spot_lag=1")
    assert part.values["pv"][0] == pytest.approx(0.0, abs=1e-8)


VOL = {"kind": "fx_vol", "name": "EURUSD", "tenor": "1Y", "value": 0.1, "strike_type": "atm"}
OPTION = {
    "pair": "EURUSD", "option_type": "call", "strike": 1.27, "notional": 1e6, "expiry_date": EXPIRY,
    "delivery_date": DELIVERY,
}  # fmt: skip


def _black(spot: float) -> float:
    at = SPOT_DATES["EURUSD"]
    forward = (
        spot * _discount("EUR", DELIVERY) / _discount("EUR", at) * _discount("USD", at) / _discount("USD", DELIVERY)
    )
    deviation = 0.1 * math.sqrt(363 / 365)
    return 1e6 * float(ql.blackFormula(ql.Option.Call, 1.27, forward, deviation, _discount("USD", DELIVERY)))


def test_an_option_and_its_delta(tmp_path: Path) -> None:
    part = _part(tmp_path, "fx_option", OPTION, "pv, delta", market=_market(VOL))
    step = 1.25 * 1e-3
    assert part.values["pv"][0] == pytest.approx(_black(1.25), rel=1e-11)
    assert part.values["delta"][0] == pytest.approx((_black(1.25 + step) - _black(1.25 - step)) / (2 * step), rel=1e-9)


def test_knock_in_and_knock_out_are_the_option(tmp_path: Path) -> None:
    both = 0.0
    for kind in ("up_in", "up_out"):
        row = {**OPTION, "barrier_type": kind, "barrier": 1.4, "rebate": 0.0}
        both += _part(tmp_path / kind, "fx_barrier_option", row, "pv", market=_market(VOL)).values["pv"][0]
    assert both == pytest.approx(_black(1.25), rel=1e-11)


def test_a_digital_looks_at_the_rate_of_its_expiry(tmp_path: Path) -> None:
    """That is for exchange on the spot date of the expiry, the 22nd of November 2027."""
    row = {
        "pair": "EURUSD", "touch_type": "digital_call", "level": 1.27, "payout": 1e6, "payout_currency": "USD",
        "expiry_date": EXPIRY,
    }  # fmt: skip
    at, settled = SPOT_DATES["EURUSD"], date(2027, 11, 22)
    forward = 1.25 * _discount("EUR", settled) / _discount("EUR", at) * _discount("USD", at) / _discount("USD", settled)
    deviation = 0.1 * math.sqrt(363 / 365)
    d2 = math.log(forward / 1.27) / deviation - 0.5 * deviation
    part = _part(tmp_path, "fx_touch", row, "pv", market=_market(VOL))
    expected = 1e6 * _discount("USD", EXPIRY) * 0.5 * math.erfc(-d2 / math.sqrt(2))
    assert part.values["pv"][0] == pytest.approx(expected, rel=1e-10)


def test_a_quanto_reads_the_volatility_of_the_rate_of_its_expiry(tmp_path: Path) -> None:
    """At the forward to the spot date of the expiry, the 22nd of November 2027; the pair's smile is steep."""
    at, settled = SPOT_DATES["EURUSD"], date(2027, 11, 22)
    forward = 1.25 * _discount("EUR", settled) / _discount("EUR", at) * _discount("USD", at) / _discount("USD", settled)
    smile = [
        {"kind": "fx_vol", "name": "EURUSD", "tenor": "1Y", "value": vol, "strike": k, "strike_type": "absolute",
         "factor": f"fx_vol:EURUSD:1Y:{k}"}
        for k, vol in ((1.0, 0.05), (2.0, 0.55))
    ]  # fmt: skip
    acme = [
        {"kind": "spot", "name": "ACME", "value": 100.0, "currency": "EUR"},
        {"kind": "black_vol", "name": "ACME", "tenor": "1Y", "value": 0.3, "strike_type": "atm"},
        {"kind": "correlation", "name": "ACME:EURUSD", "value": 0.6},
    ]
    row = {
        "underlying": "ACME", "currency": "EUR", "pair": "EURUSD", "quantity": 1e4, "option_type": "call",
        "strike": 100.0, "expiry_date": EXPIRY,
    }  # fmt: skip
    part = _part(tmp_path, "quanto_equity_option", row, "pv", market=_market(*smile, *acme))
    years = 363 / 365
    drift = -0.6 * 0.3 * (0.05 + 0.5 * (forward - 1.0)) * years
    grown = 100.0 / _discount("EUR", EXPIRY) * math.exp(drift)
    expected = ql.blackFormula(ql.Option.Call, 100.0, grown, 0.3 * math.sqrt(years), _discount("USD", EXPIRY))
    assert part.values["pv"][0] == pytest.approx(1e4 * expected, rel=1e-10)


def test_rates_move_what_a_foreign_trade_is_worth(tmp_path: Path) -> None:
    """A trade in euro alone has a P&L when dollar rates move: four days of them, in what translates it."""
    row = {"underlying": "ACME", "currency": "EUR", "quantity": 1e6, "strike": 90.0, "expiry_date": DELIVERY}
    acme = {"kind": "spot", "name": "ACME", "value": 100.0, "currency": "EUR"}
    part = _part(tmp_path, "equity_forward", row, "pv, stress, bucketed_delta", market=_market(acme))
    value = 1e6 * (100.0 - 90.0 * _discount("EUR", DELIVERY))
    change = value * _today("EURUSD") * math.expm1(-0.02 * 4 / 365)
    assert part.pnl["stress"][0, 0] == pytest.approx(change, rel=1e-9)
    rows = {c.factor: (c.value[0], c.value_base[0]) for c in part.sensitivities if len(c.value)}
    moved = value * _today("EURUSD") * math.expm1(-1e-4 * 4 / 365)
    assert rows["zero_rate:USD.OIS:1M"] == (0.0, pytest.approx(moved, rel=1e-5))


def test_a_day_later_the_spot_date_is_another(tmp_path: Path) -> None:
    """Saturday's is Tuesday as well: three days of both rates, in place of four."""
    row = {
        "buy_currency": "EUR", "buy_amount": 1e6, "sell_currency": "USD", "sell_amount": 1.1e6,
        "delivery_date": DELIVERY,
    }  # fmt: skip
    part = _part(tmp_path, "fx_forward", row, "pv, theta")

    def value(days: int, left: int) -> float:
        today = 1.25 * math.exp((RATES["EUR"] - RATES["USD"]) * days / 365)
        return 1e6 * today * math.exp(-RATES["EUR"] * left / 365) - 1.1e6 * math.exp(-RATES["USD"] * left / 365)

    assert part.values["theta"][0] == pytest.approx(value(3, 364) - value(4, 365), rel=1e-7)


def test_without_the_curves_there_is_no_rate(tmp_path: Path) -> None:
    kind = catalogue()["equity_forward"]
    row = {"underlying": "ACME", "currency": "EUR", "quantity": 1.0, "strike": 90.0, "expiry_date": DELIVERY}
    acme = {"kind": "spot", "name": "ACME", "value": 100.0, "currency": "EUR"}
    market = [point for point in _market(acme) if point["name"] != "USD.OIS"]
    book = write_book(tmp_path / "book", {kind.name: trades_of(kind, [row])}, market)
    run = open_run(settings_at(book, tmp_path / "out", "measures=[pv]", "market.fx_spot=spot_date"))
    (row,) = read_parquet(run.store, run.folder.quarantine).to_pylist()
    assert row["reason"] == "MISSING_MARKET_DATA"
    assert "market.fx_spot: spot_date" in row["message"]
