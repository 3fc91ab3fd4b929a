from __future__ import annotations

import random
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from riskpipe.errors import InputError, StorageError
from riskpipe.market.factors import KINDS, NO_DATE, SMILE, days_of, is_pair, pillar_days
from riskpipe.market.point_table import MARKET_SCHEMA
from riskpipe.market.snapshot import MarketSnapshot, check_market_table


@pytest.mark.parametrize(
    ("tenor", "expected"),
    [
        ("1D", date(2024, 2, 1)),
        ("2W", date(2024, 2, 14)),
        ("1M", date(2024, 2, 29)),  # 31 January plus a month: clipped, not adjusted
        ("13M", date(2025, 2, 28)),
        ("11M", date(2024, 12, 31)),
        ("12M", date(2025, 1, 31)),
        ("5Y", date(2029, 1, 31)),
        ("2023-06-17", date(2023, 6, 17)),
    ],
)
def test_tenors_are_unadjusted_dates(tenor: str, expected: date) -> None:
    assert pillar_days(tenor, days_of(date(2024, 1, 31))) == days_of(expected)


@pytest.mark.parametrize("tenor", ["", "Y", "1", "1y", "-1Y", "1.5Y", "1Q", "2023-02-30", "99999Y", "1Y ", "20230617"])
def test_other_texts_are_no_tenors(tenor: str) -> None:
    assert pillar_days(tenor, 20_000) is None


@pytest.mark.parametrize(
    ("name", "currency", "pair"),
    [
        ("EURUSD", "USD", True),
        ("EURUSD", None, True),
        ("GOOGLE", "USD", False),
        ("EURUSD", "EUR", False),
        ("eurusd", "usd", False),
        ("EURUS1", "US1", False),
        ("SPX", "USD", False),
    ],
)
def test_which_spots_are_pairs(name, currency, pair) -> None:
    assert is_pair(name, currency) is pair


def test_clean_table_has_no_fault(table, as_of) -> None:
    assert check_market_table(table, as_of) == []


def test_factors_are_sorted_and_grouped(snapshot, rows, as_of) -> None:
    assert len(snapshot) == len(rows)
    kinds, names = snapshot.factors.column("kind").to_pylist(), snapshot.factors.column("name").to_pylist()
    days = snapshot.days.tolist()
    order = list(zip(kinds, names, days, strict=True))
    assert order == sorted(order)
    assert snapshot.factors.column_names[:10] == MARKET_SCHEMA.names
    covered = [k for group in snapshot.groups for k in range(group.start, group.stop)]
    assert covered == list(range(len(rows)))
    for index, group in enumerate(snapshot.groups):
        assert {order_[:2] for order_ in order[group.start : group.stop]} == {(group.kind, group.name)}
        assert snapshot.group_index(group.kind, group.name) == index
        assert set(snapshot.group_of_factor[group.start : group.stop]) == {index}
    usd = snapshot.group("zero_rate", "USD.OIS")
    assert usd is not None
    assert usd.currency == "USD"
    assert snapshot.x0[usd.start : usd.stop].tolist() == [0.05, 0.045, 0.04]
    assert days[usd.start] == pillar_days("1M", as_of)
    spot = snapshot.group("spot", "SPX")
    assert spot is not None
    assert days[spot.start] == NO_DATE
    assert snapshot.group("zero_rate", "SPX") is None
    assert snapshot.group_index("spot", "nothing") == -1
    assert snapshot.factor_index("spot:nothing") == -1
    assert snapshot.x0[snapshot.factor_index("spot:DAX")] == 18000.0


def test_levels_cannot_be_changed(snapshot) -> None:
    with pytest.raises(ValueError, match="read-only"):
        snapshot.x0[0] = 1.0


def test_hash_names_the_content_not_the_row_order(rows, table_of, as_of) -> None:
    reference = MarketSnapshot.from_table(table_of(rows), as_of)
    for seed in range(5):
        shuffled = random.Random(seed).sample(rows, len(rows))
        again = MarketSnapshot.from_table(table_of(shuffled), as_of)
        assert again.sha256 == reference.sha256
        assert again.factor_ids == reference.factor_ids
    assert MarketSnapshot.from_table(table_of(rows), as_of + 1).sha256 != reference.sha256
    for column, value in (
        ("value", 1.1000000000000003),
        ("currency", None),
        ("instrument", "swap"),
        ("strike", 0.0),
    ):
        changed = [dict(row) for row in rows]
        changed[0][column] = value
        assert MarketSnapshot.from_table(table_of(changed), as_of).sha256 != reference.sha256


def test_hash_does_not_depend_on_encoding_or_chunks(table, as_of) -> None:
    reference = MarketSnapshot.from_table(table, as_of)
    encoded = table
    for name in ("kind", "name", "currency"):
        position = encoded.column_names.index(name)
        encoded = encoded.set_column(position, name, encoded.column(name).dictionary_encode())
    chunked = pa.concat_tables([encoded.slice(0, 7), encoded.slice(7)])
    extra = chunked.append_column("source", pa.array(["x"] * len(table)))
    assert MarketSnapshot.from_table(extra, as_of).sha256 == reference.sha256


def test_file_round_trip_is_exact_and_mapped(snapshot, tmp_path) -> None:
    path = tmp_path / "market.arrow"
    snapshot.write(path)
    before = pa.total_allocated_bytes()
    again = MarketSnapshot.open(path)
    assert pa.total_allocated_bytes() == before  # nothing copied: a view of the mapping
    assert again.as_of == snapshot.as_of
    assert again.sha256 == snapshot.sha256
    assert again.factors.equals(snapshot.factors)
    assert again.groups == snapshot.groups
    assert again.x0.tobytes() == snapshot.x0.tobytes()
    assert not again.x0.flags.writeable
    again.write(tmp_path / "again.arrow")
    assert (tmp_path / "again.arrow").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("content", [None, b"", b"no arrow file"])
def test_open_refuses_what_is_no_snapshot(content, tmp_path) -> None:
    path = tmp_path / "market.arrow"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=r"market\.arrow"):
        MarketSnapshot.open(path)


FAULTS = {
    "null": {"factor": None},
    "duplicate factor": {"factor": "spot:SPX"},
    "unknown kind": {"kind": "zero_rates", "factor": "zero_rates:X"},
    "contradicting id": {"factor": "spot:SPY"},
    "contradicting id (no separator)": {"factor": "spot:Xtra"},
    "not finite": {"value": float("nan")},
    "not finite (infinite)": {"value": float("inf")},
    "not finite (null)": {"value": None},
    "not positive": {"value": 0.0},
    "not positive (vol)": {"kind": "black_vol", "factor": "black_vol:X:1Y", "tenor": "1Y", "value": -0.2},
    "out of range": {"kind": "recovery", "factor": "recovery:X", "value": 1.2},
    "out of range (correlation)": {"kind": "correlation", "factor": "correlation:X", "value": -1.01},
    "negative hazard": {"kind": "hazard_rate", "factor": "hazard_rate:X:1Y", "tenor": "1Y", "value": -0.01},
    "bad tenor": {"kind": "zero_rate", "factor": "zero_rate:X:1Q", "tenor": "1Q"},
    "bad tenor (underlying)": {"underlying_tenor": "1Q"},
    "required (tenor)": {"kind": "zero_rate", "factor": "zero_rate:X"},
    "required (instrument)": {"kind": "par_rate", "factor": "par_rate:X:1Y", "tenor": "1Y"},
    "required (strike)": {
        "kind": "fx_vol",
        "factor": "fx_vol:X:1Y",
        "tenor": "1Y",
        "strike_type": "absolute",
    },
    "required (strike_type)": {"kind": "fx_vol", "factor": "fx_vol:X:1Y", "tenor": "1Y", "strike": 1.0},
    "unknown strike_type": {
        "kind": "fx_vol",
        "factor": "fx_vol:X:1Y",
        "tenor": "1Y",
        "strike": 1.0,
        "strike_type": "delta",
    },
    "not positive (moneyness)": {
        "kind": "black_vol",
        "factor": "black_vol:X:1Y",
        "tenor": "1Y",
        "strike": 0.0,
        "strike_type": "moneyness",
    },
    "not a delta": {
        "kind": "fx_vol",
        "factor": "fx_vol:X:1Y",
        "tenor": "1Y",
        "strike": 0.0,
        "strike_type": "delta_put",
    },
    "unknown instrument": {
        "kind": "par_rate",
        "factor": "par_rate:X:1Y",
        "tenor": "1Y",
        "instrument": "swaption",
    },
    "fixing without date": {"kind": "fixing", "factor": "fixing:X:1Y", "tenor": "1Y"},
    "fixing in the future": {"kind": "fixing", "factor": "fixing:X:2030-01-01", "tenor": "2030-01-01"},
    "point in the past": {"kind": "zero_rate", "name": "USD.OIS", "factor": "zero_rate:USD.OIS:0", "tenor": "0D"},
    "all in the past": {"kind": "zero_rate", "factor": "zero_rate:X:2020-01-01", "tenor": "2020-01-01"},
    "negative forward": {"kind": "forward_price", "factor": "forward_price:X:1M", "tenor": "1M", "value": -37.63},
    "negative forward (zero)": {"kind": "forward_price", "factor": "forward_price:X:1M", "tenor": "1M", "value": 0.0},
}
WARNINGS = {
    "negative hazard",
    "negative forward",
    "fixing in the future",
    "point in the past",
    "all in the past",
    "ignored",
    "rising survival",
}


@pytest.mark.parametrize("label", FAULTS)
def test_every_fault_of_a_row_is_found(label, rows, point, table_of, as_of) -> None:
    bad = {**point("spot", "X", 1.0), **FAULTS[label]}
    rule = label.split(" (")[0]
    faults = check_market_table(table_of([*rows, bad]), as_of)
    found = [fault for fault in faults if fault.rule == rule]
    assert found, faults
    assert found[0].rows == (2 if rule == "duplicate factor" else 1)
    assert found[0].level == ("warning" if rule in WARNINGS else "error")
    assert found[0].sample[0] == (bad["factor"] or f"row {len(rows)}")
    assert found[0].message


def test_faults_of_points_against_each_other(rows, point, table_of, as_of) -> None:
    faults = check_market_table(
        table_of(
            [
                *rows,
                point("zero_rate", "USD.OIS", 0.04, "24M", currency="USD"),  # the 2Y point once more
                point("spot", "Y", 1.0, currency="USD"),
                point("dividend_yield", "Y", 0.01, "1Y", currency="USD"),
                point("dividend_yield", "Y", 0.01, "2Y", currency="EUR"),
                point("black_vol", "Y", 0.2, "1Y", strike=1.0, strike_type="moneyness"),
                point("black_vol", "Y", 0.2, "1Y", strike=100.0, strike_type="absolute"),
                point("hazard_rate", "Y", 0.05, "1Y"),
                point("hazard_rate", "Y", 0.01, "2Y"),
                point("correlation", "Y:EURUSD", 0.2, "1Y"),
                point("correlation", "Y:EURUSD", 0.3, "2Y"),
                point("black_vol", "Z", 0.2, "1Y", strike=1.0, strike_type="atm"),
            ]
        ),
        as_of,
    )
    found = {(fault.rule, fault.level, fault.rows) for fault in faults}
    assert found == {
        ("duplicate point", "error", 2),
        ("contradicting currency", "error", 2),
        ("several points", "error", 2),
        ("mixed strike types", "error", 2),
        ("rising survival", "warning", 1),
        ("ignored", "warning", 1),
    }


def test_all_faults_come_at_once_errors_first(rows, point, table_of, as_of) -> None:
    table = table_of(
        [
            *rows,
            point("hazard_rate", "X", -0.01, "1Y"),
            point("spot", "NAN", float("nan")),
            point("black_vol", "X", -0.1, "1Y"),
            point("zero_rate", "X", 0.01, "soon"),
            point("smile", "X", 1.0),
            point("spot", "SPX", 1.0),
        ]
    )
    faults = check_market_table(table, as_of)
    assert [fault.level for fault in faults] == sorted(fault.level for fault in faults)
    assert {fault.rule for fault in faults} == {
        "negative hazard",
        "not finite",
        "not positive",
        "bad tenor",
        "unknown kind",
        "duplicate factor",
        "duplicate point",
    }
    with pytest.raises(InputError) as error:
        MarketSnapshot.from_table(table, as_of)
    for text in ("spot:NAN", "black_vol must be above zero", "YYYY-MM-DD", "'smile'", "more than once"):
        assert text in str(error.value)
    assert "hazard" not in str(error.value)


def test_of_a_completed_market_new_points_are_checked(point, table_of, as_of) -> None:
    before = [point("par_rate", "USD.OIS", 0.04, "2Y", currency="USD", instrument="ois"), point("spot", "SPX", 1.0)]
    made = {("zero_rate", "USD.OIS")}
    sound = table_of([*before, point("zero_rate", "USD.OIS", 0.04, "2Y", currency="USD")])
    assert MarketSnapshot.of_completed(sound, made, as_of).sha256 == MarketSnapshot.from_table(sound, as_of).sha256
    bad = table_of([*before, point("zero_rate", "USD.OIS", float("nan"), "2Y", currency="USD")])
    with pytest.raises(InputError, match="null, NaN or infinite"):
        MarketSnapshot.of_completed(bad, made, as_of)
    given = point("zero_rate", "USD", 0.04, "2Y", currency="USD", factor="zero_rate:USD:OIS:2Y")
    twice = table_of([given, point("zero_rate", "USD:OIS", 0.04, "2Y", currency="USD")])
    with pytest.raises(InputError, match="more than once"):
        MarketSnapshot.of_completed(twice, {("zero_rate", "USD:OIS")}, as_of)


def test_missing_and_mistyped_columns(table, as_of) -> None:
    broken = table.drop_columns(["name", "strike"])
    position = broken.column_names.index("value")
    broken = broken.set_column(position, "value", pa.array(["1.0"] * len(table)))
    faults = check_market_table(broken, as_of)
    assert {(f.column, f.rule, f.level) for f in faults} >= {
        ("name", "missing column", "error"),
        ("value", "wrong type", "error"),
    }
    # The rows are not blamed for what is wrong with a whole column.
    assert not [f for f in faults if f.rows and f.column in ("name", "value")]


def test_optional_columns_may_be_missing(rows, table_of, as_of) -> None:
    spots = table_of([row for row in rows if row["kind"] == "spot"])
    bare = spots.select(["value", "name", "factor", "kind"])
    assert check_market_table(bare, as_of) == []
    assert len(MarketSnapshot.from_table(bare, as_of)) == len(bare)


def test_numbers_of_other_widths_are_taken(table, as_of) -> None:
    narrow = table.set_column(9, "value", pa.array(np.ones(len(table)), pa.float32()))
    assert check_market_table(narrow, as_of) == []


def test_empty_table_is_a_fault(table, as_of) -> None:
    assert [fault.rule for fault in check_market_table(table.slice(0, 0), as_of)] == ["empty"]


def test_every_kind_is_in_the_contract() -> None:
    rates = {"zero_rate", "par_rate", "dividend_yield", "hazard_rate", "cds_spread", "inflation_zero"}
    payouts = {"dividend", "dividend_ratio", "borrow"}
    prices = {"spot", "forward_price", "fixing", "index_fixing", "recovery", "correlation"}
    given = {name for name, kind in KINDS.items() if not kind.made}
    assert given == rates | prices | payouts | {"black_vol", "normal_vol", "fx_vol"}


def test_kinds_of_derived_points_are_not_taken_from_inputs(rows, point, table_of, as_of) -> None:
    table = table_of([*rows, point(SMILE, "fx_vol:EURUSD", 0.1, "1Y", strike=1.1, strike_type="absolute")])
    assert [fault.rule for fault in check_market_table(table, as_of)] == ["unknown kind"]
    assert MarketSnapshot.from_table(table, as_of).group(SMILE, "fx_vol:EURUSD") is not None


def test_spreads_may_be_negative_and_a_negative_butterfly_is_odd(rows, spread_quotes, table_of, as_of) -> None:
    assert check_market_table(table_of([*rows, *spread_quotes()]), as_of) == []
    (fault,) = check_market_table(table_of([*rows, *spread_quotes(butterfly=-0.001)]), as_of)
    assert (fault.level, fault.rule, fault.rows) == ("warning", "negative butterfly", 1)
    (fault,) = check_market_table(table_of([*rows, *spread_quotes(atm=-0.1)]), as_of)
    assert (fault.level, fault.rule, fault.rows) == ("error", "not positive", 1)


@pytest.mark.parametrize("missing", ["atm", "reversal", "butterfly"])
def test_half_a_smile_is_a_fault_of_all_its_points(rows, spread_quotes, table_of, as_of, missing) -> None:
    points = spread_quotes(**{missing: None})
    (fault,) = check_market_table(table_of([*rows, *points]), as_of)
    assert (fault.level, fault.rule, fault.rows) == ("error", "incomplete smile", 2)
    assert fault.ids == {row["factor"] for row in points}


def test_deltas_are_decimals_between_zero_and_one(rows, point, spread_quotes, table_of, as_of) -> None:
    points = [
        point("fx_vol", "GBPUSD", 0.1, "1Y", strike_type="delta_put", strike=strike) for strike in (-0.25, 0.25, 25.0)
    ]
    (fault,) = check_market_table(table_of([*rows, *points]), as_of)
    assert (fault.level, fault.rule, fault.rows) == ("error", "not a delta", 2)
    mixed = [*spread_quotes(), points[1]]
    assert [fault.rule for fault in check_market_table(table_of([*rows, *mixed]), as_of)] == ["mixed strike types"]
