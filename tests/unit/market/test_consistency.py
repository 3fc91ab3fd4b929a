"""Facts of one market that exclude each other, or are at odds."""

from __future__ import annotations

import pytest

from riskpipe.market.consistency import Tolerances, consistency_faults
from riskpipe.market.minor_units import MINOR_UNITS, in_major_units

Found = list[tuple[str, str, tuple[str, ...]]]


@pytest.fixture
def faults_of(point, table_of, as_of):
    """Level, rule and factors of every fault of a market of spots (pair=level) and other points."""

    def find(*points, **spots: float) -> Found:
        rows = [point("spot", pair, level, currency=pair[3:]) for pair, level in spots.items()]
        return [(f.level, f.rule, f.sample) for f in consistency_faults(table_of([*rows, *points]), as_of)]

    return find


def test_the_small_market_is_at_one(table, as_of) -> None:
    assert consistency_faults(table, as_of) == []


@pytest.mark.parametrize(
    ("level", "mirror", "exclude"),
    [
        (1.1, 0.95, True),  # as filed: a position and its mirror added up to 49,500 on a million
        (1.1, 1.0 / 1.1, False),
        (1.1, 0.9091, False),  # rounded to four decimals
        (1.0842, 0.9223, False),
        (1.0842, 0.9218, False),  # half a thousandth apart
        (1.0842, 0.9210, True),
        (0.0067, 149.3, False),  # JPYUSD in four decimals: anything from 148.1 to 150.4
        (0.0067, 155.0, True),
        (110.0, 1.1, True),  # a factor of a hundred
    ],
)
def test_a_pair_and_its_mirror(faults_of, level: float, mirror: float, exclude: bool) -> None:
    """They may not exclude each other; where they do not, they still move each by itself in scenarios."""
    ids = ("spot:EURUSD", "spot:USDEUR")
    expected = ("error", "contradicting mirror", ids) if exclude else ("warning", "quoted both ways", ids)
    assert faults_of(EURUSD=level, USDEUR=mirror) == [expected]


def test_a_currency_against_itself(faults_of) -> None:
    assert faults_of(EURUSD=1.1, USDUSD=1.0) == []
    assert faults_of(EURUSD=1.1, USDUSD=1.2) == [("warning", "not used", ("spot:USDUSD",))]


def test_what_the_mirrors_message_says(point, table_of, as_of) -> None:
    rows = [point("spot", "EURUSD", 1.1, currency="USD"), point("spot", "USDEUR", 0.95, currency="EUR")]
    (fault,) = consistency_faults(table_of(rows), as_of)
    inverse = "spot:USDEUR is 0.95, whose inverse is 1.05263"
    assert fault.message == f"spot:EURUSD is 1.1 and {inverse}: 4.50% apart; leave out the one that is wrong"


def test_triangles_are_a_warning_with_the_range(point, table_of, as_of) -> None:
    levels = {"EURUSD": 1.1, "GBPUSD": 1.3, "EURCHF": 0.95, "GBPCHF": 1.13, "EURGBP": 0.87}
    rows = [point("spot", pair, level, currency=pair[3:]) for pair, level in levels.items()]
    (fault,) = consistency_faults(table_of(rows), as_of)
    assert (fault.level, fault.rule) == ("warning", "contradicting cross")
    cross = "spot:EURGBP is 0.87, other spots make it 0.840708 through CHF to 0.846154 through USD (3.48% apart)"
    assert cross in fault.message
    assert fault.message.endswith("each is used as it is quoted")


def test_triangles_that_cannot_be(point, table_of, as_of) -> None:
    """Of three spots alone any may be the wrong one; those that fit with others are not."""
    levels = {"EURUSD": 1.1, "USDJPY": 150.0, "EURJPY": 190.0}
    rows = [point("spot", pair, level, currency=pair[3:]) for pair, level in levels.items()]
    (fault,) = consistency_faults(table_of(rows), as_of)
    assert (fault.level, fault.rule) == ("error", "contradicting cross")
    assert fault.ids == {"spot:EURUSD", "spot:USDJPY", "spot:EURJPY"}
    assert "(15.15% apart)" in fault.message
    assert "check.tolerances.fx_cross" in fault.message
    assert "EURJPY, EURUSD, USDJPY are left out" in fault.message
    more = [("USDCHF", 0.88), ("CHFJPY", 150.0 / 0.88), ("EURCHF", 1.1 * 0.88)]
    rows += [point("spot", pair, level, currency=pair[3:]) for pair, level in more]
    (fault,) = consistency_faults(table_of(rows), as_of)
    assert (fault.level, fault.ids) == ("error", {"spot:EURJPY"})
    # Both of two wrong ones, and what nothing else confirms.
    rows += [point("spot", "GBPUSD", 1.3, currency="USD"), point("spot", "GBPJPY", 250.0, currency="JPY")]
    (fault,) = consistency_faults(table_of(rows), as_of)
    assert fault.ids == {"spot:EURJPY", "spot:GBPJPY", "spot:GBPUSD"}


@pytest.mark.parametrize(("cross", "level"), [(165.0, None), (166.0, "warning"), (173.2, "warning"), (173.4, "error")])
def test_the_tolerance_of_triangles(point, table_of, as_of, cross: float, level: str | None) -> None:
    """165 is right: a tenth of a per cent says nothing, five are too much, unless the user says otherwise."""
    levels = {"EURUSD": 1.1, "USDJPY": 150.0, "EURJPY": cross}
    table = table_of([point("spot", pair, value, currency=pair[3:]) for pair, value in levels.items()])
    assert {fault.level for fault in consistency_faults(table, as_of)} == ({level} if level else set())
    found = consistency_faults(table, as_of, Tolerances(fx_cross=0.06))
    assert {fault.level for fault in found} <= {"warning"}


def test_a_triangle_of_a_pair_that_is_quoted_both_ways(faults_of) -> None:
    mirrored = {"EURUSD": 1.1, "USDEUR": 1.0 / 1.1, "USDJPY": 150.0, "EURJPY": 200.0}
    found = [ids for level, rule, ids in faults_of(**mirrored) if level == "error" and rule == "contradicting cross"]
    assert found == [("spot:EURJPY", "spot:EURUSD", "spot:USDEUR", "spot:USDJPY")]


@pytest.mark.parametrize(
    ("name", "spot", "forward", "tenor", "yields", "level"),
    [
        ("VOD", 72.3, 7301.5, "1M", True, "error"),  # pence beside pounds
        ("VOD", 72.3, 0.73, "1M", True, "error"),
        ("VOD", 72.3, 73.0, "1M", True, None),
        ("VOD", 72.3, 140.0, "1M", True, None),  # odd, and told as such once curves are known
        ("VOD", 72.3, 150.0, "1M", True, "error"),
        ("GAS", 23.0, 3.2, "1M", False, None),  # Henry Hub, February 2021
        ("WTI", 70.0, 0.7, "1M", False, "error"),
        ("WTI", 70.0, 0.7, "5Y", False, None),  # far away nothing is beyond doubt
        ("WTI", 70.0, -37.6, "1M", False, None),
        ("EURUSD", 1.1, 110.5, "1M", False, "error"),
        ("EURUSD", 1.1, 1.103, "1M", False, None),
    ],
)
def test_forward_prices_and_their_spot(
    faults_of, point, name: str, spot: float, forward: float, tenor: str, yields: bool, level: str | None
) -> None:
    rows = [point("spot", name, spot), point("forward_price", name, forward, tenor)]
    rows += [point("dividend_yield", name, 0.02, "1Y")] if yields else []
    found = [(fault, ids) for fault, rule, ids in faults_of(*rows) if rule == "contradicting forward"]
    assert found == ([(level, (f"spot:{name}", f"forward_price:{name}:{tenor}"))] if level else [])


def test_the_nearest_forward_counts_and_the_mirror_of_a_pair(point, table_of, as_of) -> None:
    rows = [point("spot", "USDEUR", 1.0 / 1.1)]
    rows += [point("forward_price", "EURUSD", level, tenor) for level, tenor in ((110.0, "1W"), (1.11, "1Y"))]
    errors = [fault for fault in consistency_faults(table_of(rows), as_of) if fault.level == "error"]
    (fault,) = errors
    assert fault.ids == {"spot:USDEUR", "forward_price:EURUSD:1W", "forward_price:EURUSD:1Y"}
    assert "spot:USDEUR makes EURUSD 1.1, forward_price:EURUSD in 7 days 110: not both can be right" in fault.message
    assert "check.tolerances.forward" in fault.message
    loose = consistency_faults(table_of(rows), as_of, Tolerances(forward=100.0))
    assert [fault.level for fault in loose if fault.level == "error"] == []


def test_what_forward_prices_leave_idle(faults_of, point) -> None:
    rows = [point(kind, "VOD", 72.3, tenor) for kind, tenor in (("spot", None), ("forward_price", "1Y"))]
    rows += [point("dividend_yield", "VOD", 0.02, "1Y"), point("forward_price", "EURUSD", 1.11, "1Y")]
    assert faults_of(*rows, EURUSD=1.1) == [
        ("warning", "not used", ("dividend_yield:VOD:1Y",)),
        ("warning", "not used", ("spot:VOD",)),
        ("warning", "not used", ("forward_price:EURUSD:1Y",)),
    ]
    assert faults_of(point("forward_price", "WTI", 70.0, "1Y")) == []


@pytest.mark.parametrize("cross", [0.8461, 0.8462, 0.8469])
def test_triangles_within_the_tolerance(faults_of, cross: float) -> None:
    assert faults_of(EURUSD=1.1, GBPUSD=1.3, EURGBP=cross) == []


def test_a_spot_named_as_a_pair_is_of_the_pair(faults_of, point) -> None:
    assert faults_of(point("spot", "EURUSD", 1.1, currency="EUR")) == [
        ("error", "contradicting pair", ("spot:EURUSD",))
    ]
    assert faults_of(point("spot", "EURUSD", 1.1)) == []
    assert faults_of(point("spot", "ABCDEF", 1.1, currency="EUR")) == []  # a share
    assert faults_of(point("fx_vol", "EURUSD", 0.1, "1Y", currency="JPY")) == [
        ("warning", "contradicting pair", ("fx_vol:EURUSD:1Y",))
    ]


def test_one_underlying_has_one_currency(faults_of, point) -> None:
    spot = point("spot", "VOD", 72.3, currency="GBP")
    found = faults_of(spot, point("forward_price", "VOD", 73.0, "1Y", currency="USD"))
    assert ("error", "contradicting currency", ("spot:VOD", "forward_price:VOD:1Y")) in found
    struck = point("black_vol", "VOD", 0.2, "1Y", currency="USD", strike=70.0, strike_type="absolute")
    assert faults_of(spot, struck) == [("error", "contradicting currency", (struck["factor"],))]
    relative = point("black_vol", "VOD", 0.2, "1Y", currency="USD", strike=1.0, strike_type="moneyness")
    assert faults_of(spot, relative) == [("warning", "contradicting currency", (relative["factor"],))]
    dividend = point("dividend_yield", "VOD", 0.02, "1Y", currency="USD")
    assert faults_of(spot, dividend) == [("warning", "contradicting currency", (dividend["factor"],))]
    assert faults_of(spot, point("dividend_yield", "VOD", 0.02, "1Y")) == []


@pytest.mark.parametrize("unit", MINOR_UNITS)
def test_pence_become_pounds(point, table_of, unit: str) -> None:
    """7,230 pence are 72.30 pounds, and so for what is struck in them; what is relative stays."""
    rows = [
        point("spot", "VOD", 7230.0, currency=unit),
        point("forward_price", "VOD", 7301.5, "1Y", currency=unit),
        point("black_vol", "VOD", 0.2, "1Y", currency=unit, strike=7000.0, strike_type="absolute"),
        point("black_vol", "VOD", 0.2, "2Y", currency=unit, strike=0.9, strike_type="moneyness"),
        point("normal_vol", "VOD", 1500.0, "1Y", currency=unit, strike=-100.0, strike_type="offset"),
        point("dividend_yield", "VOD", 0.02, "1Y", currency=unit),
        point("spot", "SPX", 5000.0, currency="USD"),
        point("recovery", "ACME", 0.4),
    ]
    table, units = in_major_units(table_of(rows))
    found = {row["factor"]: (row["currency"], row["value"], row["strike"]) for row in table.to_pylist()}
    ids = [row["factor"] for row in rows]
    currency = MINOR_UNITS[unit]
    assert [found[factor] for factor in ids] == [
        (currency, 72.3, None),
        (currency, 73.015, None),
        (currency, 0.2, 70.0),
        (currency, 0.2, 0.9),
        (currency, 15.0, -1.0),
        (currency, 0.02, None),
        ("USD", 5000.0, None),
        (None, 0.4, None),
    ]
    assert units == dict.fromkeys([ids[0], ids[1], ids[4]], 100.0)


def test_a_market_without_pence_is_left_alone(table) -> None:
    assert in_major_units(table) == (table, {})
