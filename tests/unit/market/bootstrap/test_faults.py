"""Quotes of which no curve can be made: curve, instrument and reason are named, and other curves are made."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from par_quotes import AS_OF, CREDIT, LONG, Rows, cds_spreads, par_rates, point, table_of

from riskpipe.market.checks import check_market_table
from riskpipe.market.conventions import Conventions, CurveConvention
from riskpipe.market.derived import Derivation, derive
from riskpipe.market.producers import PRODUCERS

CONVENTIONS = Conventions(discount_curves={"USD": "USD.SOFR", "EUR": "EUR.ESTR"})
SOUND = par_rates("USD.SOFR", "ois", LONG)
CROSSED = {"1Y": 0.02, "2Y": 0.02, "3Y": 0.95}
ESTR = par_rates("EUR.ESTR", "ois", LONG)


def _made(
    rows: Rows, conventions: Conventions = CONVENTIONS, left_out: frozenset[tuple[str, str]] = frozenset()
) -> Derivation:
    return derive(table_of(rows), PRODUCERS, AS_OF, conventions, left_out)


@pytest.mark.parametrize(
    ("rows", "rule", "said"),
    [
        (
            par_rates("EUR.ESTR", "ois", CROSSED),
            "not bootstrappable",
            r"zero_rate:EUR\.ESTR cannot be made of its quotes: par_rate:EUR\.ESTR:ois:3Y \(ois\): "
            r"no discount factor after those before reprices it \(root not bracketed",
        ),
        (ESTR + par_rates("EUR.ESTR", "deposit", {"1Y": 0.02}), "same pillar", "1Y .*1Y .*both end on 2027-11-24"),
        (par_rates("EUR.ESTR", "swap", LONG), "bad instrument", r"it needs a term index: .*EUR\.ESTR\.index_tenor"),
        (par_rates("EUR.ESTR", "basis", {"1Y": 0.001}), "bad instrument", r"market\.curves\.EUR\.ESTR\.against"),
        (par_rates("EUR.ESTR", "ois", {"2030-01-15": 0.02}), "bad tenor", "2030-01-15 is not nD, nW, nM or nY"),
        (
            par_rates("EUR.ESTR", "deposit", {"2026-11-23": 0.02}),
            "bad tenor",
            "2026-11-24 to 2026-11-23 is not in the future",
        ),
        (par_rates("EUR.ESTR", "deposit", {"2026-11-20": 0.02}), "period has begun", "every quoted period has begun"),
        (par_rates("EUR.ESTR", "future", {"2026-09-16": 0.02}), "period has begun", "every quoted period has begun"),
    ],
)
def test_one_curve_fails_and_the_other_is_made(rows: Rows, rule: str, said: str) -> None:
    found = _made(SOUND + rows)
    (fault,) = found.faults
    assert (fault.level, fault.rule) == ("error", rule)
    assert fault.ids <= {row["factor"] for row in rows}
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(fault.message)
    assert found.left_out == {("zero_rate", "EUR.ESTR")}
    assert [group.points.column("name")[0].as_py() for group in found.groups] == ["USD.SOFR"]


@pytest.mark.parametrize(
    ("instrument", "tenor"), [("future", "2026-09-16"), ("fra", "2026-11-19"), ("deposit", "2026-11-20")]
)
def test_a_quote_whose_period_has_begun_is_left_out_alone(instrument: str, tenor: str) -> None:
    sound = par_rates("EUR.EURIBOR3M", "deposit", {"3M": 0.02}) + par_rates(
        "EUR.EURIBOR3M", "future", {"2027-03-17": 0.021}
    )
    running = par_rates("EUR.EURIBOR3M", instrument, {tenor: 0.07})
    found, without = _made(ESTR + running + sound), _made(ESTR + sound)
    (fault,) = found.faults
    assert (fault.level, fault.rule, fault.ids) == ("warning", "period has begun", {running[0]["factor"]})
    assert (found.left_out, without.faults) == (frozenset(), ())
    assert [group.points for group in found.groups] == [group.points for group in without.groups]
    assert not check_market_table(table_of(running + sound), AS_OF)


@pytest.mark.parametrize("tenor", ["2026-11-20", "0M"])
def test_a_future_that_starts_today_or_next_is_used_and_not_told_to_be_unused(tenor: str) -> None:
    """The first IMM date after today is 0M's start."""
    quotes = [par_rates("EUR.EURIBOR3M", "future", {tenor: rate, "2027-06-16": 0.021}) for rate in (0.02, 0.03)]
    first, second = (_made(ESTR + rows) for rows in quotes)
    assert first.faults == ()
    assert first.groups[-1].points.column("value")[0] != second.groups[-1].points.column("value")[0]
    assert check_market_table(table_of(quotes[0]), AS_OF) == []


def test_a_term_curve_has_no_overnight_swaps_and_its_fras_are_as_long_as_its_index() -> None:
    (fault,) = _made(ESTR + par_rates("EUR.EURIBOR3M", "ois", LONG)).faults
    assert "the index of the curve is of 3M" in fault.message
    (fault,) = _made(ESTR + par_rates("EUR.EURIBOR3M", "fra", {"1M": 0.02})).faults
    assert "a FRA's tenor is the end of its 3M period" in fault.message


def test_a_curve_given_twice_is_no_curve() -> None:
    found = _made([*SOUND, point("zero_rate", "USD.SOFR", 0.04, "5Y")])
    (fault,) = found.faults
    assert (fault.rule, fault.sample) == ("given twice", ("zero_rate:USD.SOFR:5Y",))
    assert found.left_out == {("zero_rate", "USD.SOFR")}
    assert "zero_rate" not in found.table.column("kind").to_pylist()


def test_what_is_built_on_a_failed_curve_fails_and_says_so() -> None:
    rows = (
        par_rates("EUR.ESTR", "ois", CROSSED)
        + par_rates("EUR.EURIBOR3M", "swap", LONG)
        + cds_spreads("X", CREDIT, "EUR")
    )
    found = _made(SOUND + rows)
    messages = sorted(fault.message for fault in found.faults if fault.rule == "missing curve")
    assert len(found.faults) == 3
    assert messages[0].startswith("hazard_rate:X cannot be made of its quotes: ")
    assert messages[0].endswith("they need zero_rate:EUR.ESTR, which is left out for its errors")
    assert messages[1].endswith(
        "par_rate:EUR.EURIBOR3M:swap:1Y (swap): it needs zero_rate:EUR.ESTR, which is left out for its errors"
    )
    assert found.left_out == {("zero_rate", "EUR.ESTR"), ("zero_rate", "EUR.EURIBOR3M"), ("hazard_rate", "X")}


def test_a_missing_discount_curve_is_named() -> None:
    (fault,) = _made(par_rates("EUR.EURIBOR3M", "swap", LONG)).faults
    assert fault.message.endswith("it needs zero_rate:EUR.ESTR, which the market lacks")


def test_quotes_with_errors_of_their_own_take_their_curve_with_them() -> None:
    """The table has not even the quotes any more."""
    bad = frozenset({("par_rate", "EUR.ESTR"), ("cds_spread", "X")})
    found = _made(par_rates("EUR.EURIBOR3M", "swap", LONG), left_out=bad)
    assert found.left_out == bad | {("zero_rate", "EUR.ESTR"), ("zero_rate", "EUR.EURIBOR3M"), ("hazard_rate", "X")}
    (fault,) = found.faults
    assert "which is left out for its errors" in fault.message


def test_curves_that_need_each_other_are_both_named() -> None:
    curves = {
        "EUR.EURIBOR3M": CurveConvention(against="EUR.EURIBOR6M"),
        "EUR.EURIBOR6M": CurveConvention(against="EUR.EURIBOR3M"),
    }
    rows = (
        ESTR + par_rates("EUR.EURIBOR3M", "basis", {"1Y": 0.001}) + par_rates("EUR.EURIBOR6M", "basis", {"1Y": 0.001})
    )
    found = _made(rows, Conventions(discount_curves={"EUR": "EUR.ESTR"}, curves=curves))
    assert sorted(fault.rule for fault in found.faults) == ["circular", "missing curve"]
    assert found.left_out == {("zero_rate", "EUR.EURIBOR3M"), ("zero_rate", "EUR.EURIBOR6M")}


@pytest.mark.parametrize(
    ("name", "instrument", "convention", "said"),
    [
        ("EUR.EURIBOR3M", "swap", {"payment_lag": 2}, "swaps of a term index have no payment_lag"),
        ("EUR.EURIBOR3M", "swap", {"payment_calendar": "GBLO"}, "leave them out of market.curves.EUR.EURIBOR3M"),
        (
            "EUR.EURIBOR3M",
            "basis",
            {"against": "EUR.ESTR", "payment_calendar": "GBLO"},
            "basis swaps have no paym",
        ),
        (
            "EUR.USDCSA",
            "basis",
            {"against": "USD.SOFR", "payment_calendar": "GBLO"},
            "-currency swaps have no payme",
        ),
        (
            "EUR.USDCSA",
            "basis",
            {"against": "USD.SOFR", "averaging": "averaged"},
            "-currency swaps are not averaged",
        ),
        (
            "EUR.USDCSA",
            "basis",
            {"against": "USD.SOFR", "resetting": "own", "payment_lag": 2},
            "reset have no payme",
        ),
    ],
)
def test_conventions_that_a_kind_of_quote_cannot_have(
    name: str, instrument: str, convention: dict[str, Any], said: str
) -> None:
    conventions = replace(CONVENTIONS, curves={name: CurveConvention(**convention)})
    (fault,) = _made(SOUND + ESTR + par_rates(name, instrument, {"1Y": 0.02}), conventions).faults
    assert fault.rule == "bad instrument"
    assert said in fault.message


@pytest.mark.parametrize("spread", [-0.01, 20.0])
def test_a_spread_below_zero_or_beyond_what_default_at_once_earns(spread: float) -> None:
    (fault,) = _made(SOUND + cds_spreads("BAD", {"1Y": spread})).faults
    assert ("too low: it would be negative" if spread < 0.0 else "too high: default at once") in fault.message


def test_a_recovery_of_all_leaves_no_spread() -> None:
    (fault,) = _made(SOUND + cds_spreads("X", CREDIT) + [point("recovery", "X", 1.0)]).faults
    assert "with a recovery of 1 nothing is lost" in fault.message


def test_spreads_that_no_default_probability_explains() -> None:
    found = _made(SOUND + cds_spreads("BAD", {"1Y": 0.20, "5Y": 0.001}) + cds_spreads("GOOD", CREDIT))
    (fault,) = found.faults
    assert fault.message.startswith(
        "hazard_rate:BAD cannot be made of its quotes: cds_spread:BAD:5Y (cds): "
        "no hazard rate after those before reprices it"
    )
    assert found.left_out == {("hazard_rate", "BAD")}


def test_spreads_without_currency_or_on_a_tenor_that_is_none_or_with_a_bad_recovery() -> None:
    (fault,) = _made(SOUND + cds_spreads("X", CREDIT, None)).faults
    assert "neither a currency nor market.curves.X.discount_curve" in fault.message
    (fault,) = _made(SOUND + cds_spreads("X", {"2031-12-20": 0.01})).faults
    assert fault.rule == "bad tenor"
    (fault,) = _made(SOUND + cds_spreads("X", {"1M": 0.01})).faults
    assert "cds_spread:X:1M (cds): no standard contract is of 1M (" in fault.message
    assert "multiple of 3 months" in fault.message
    (fault,) = _made(SOUND + cds_spreads("X", CREDIT), left_out=frozenset({("recovery", "X")})).faults
    assert "recovery:X is left out for its errors" in fault.message
    linear = Conventions(discount_curves={"USD": "USD.SOFR"}, curve_interpolation={"X": "linear_zero"})
    (fault,) = _made(SOUND + cds_spreads("X", CREDIT), linear).faults
    assert "log-linear in survival only" in fault.message


def test_hazard_rates_and_spreads_of_one_name_are_one_too_many() -> None:
    found = _made([*SOUND, *cds_spreads("X", CREDIT), point("hazard_rate", "X", 0.02, "5Y")])
    (fault,) = found.faults
    assert (fault.rule, fault.sample) == ("given twice", ("hazard_rate:X:5Y",))
    assert found.left_out == {("hazard_rate", "X")}
