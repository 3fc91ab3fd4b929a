"""A desk's own product from its own package: found through the entry-point group, priced like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import distributions
import numpy as np
import pyarrow as pa
import pytest
from valuations import open_run, settings_at, write_book

from riskpipe.errors import UsageError
from riskpipe.inputs.opened import open_inputs
from riskpipe.plan.selection import parse_selection
from riskpipe.products.catalogue import PRODUCTS, catalogue
from riskpipe.products.trades import Trades
from riskpipe.products.validation import canonical

CASH = '''
"""Cash on account: its amount, in any currency."""

import numpy as np

from riskpipe.products.base import COMMON_COLUMNS, Column, Need, Prepared, Product


class Amounts(Prepared):
    def __init__(self, amount):
        self.amount = amount

    def price(self, rows, x):
        return np.repeat(self.amount[rows][:, None], x.shape[1], axis=1)


class Cash(Product):
    name = "cash"
    version = 1
    columns = (
        *COMMON_COLUMNS,
        Column("currency", "string", "of the account"),
        Column("amount", "number", "negative when overdrawn"),
    )

    def currency(self, trades):
        return trades.labels("currency")

    def requirements(self, trades, conventions):
        return ()

    def prepare(self, trades, model):
        return Amounts(trades.numbers("amount"))


class Impostor(Cash):
    name = "bond"


NOTHING = 42
'''

PROJECT = """
[project]
name = "desk-products"
version = "1.0"

[project.entry-points."riskpipe.products"]
cash = "{target}"
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """install("desk_products:Cash") makes a distribution with that entry point importable for the test."""

    def put(target: str) -> None:
        distributions.install(tmp_path / "site", PROJECT.format(target=target), CASH, monkeypatch)
        catalogue.cache_clear()

    yield put
    catalogue.cache_clear()


@pytest.mark.parametrize("target", ["desk_products:Cash", "desk_products:cash"])
def test_class_or_instance_comes_after_our_own(install: Install, target: str, tmp_path: Path) -> None:
    install(target)
    if target.endswith("cash"):
        source = tmp_path / "site" / "desk_products.py"
        source.write_text(source.read_text() + "\ncash = Cash()\n")

    found = catalogue()

    assert list(found) == [*(product.name for product in PRODUCTS), "cash"]
    assert found["cash"].version == 1


def test_name_that_is_in_use(install: Install) -> None:
    install("desk_products:Impostor")

    taken = r"the product 'bond' of desk_products:Impostor \(the package desk-products 1.0\) is there already"
    with pytest.raises(UsageError, match=taken):
        catalogue()


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("desk_products:NOTHING", "desk_products:NOTHING is no riskpipe.products.base.Product"),
        ("desk_products:Abstract", "it does not import: TypeError: Can't instantiate"),
        ("desk_products:Missing", "it does not import: AttributeError: module 'desk_products' has no attribute"),
        ("desk_product:Cash", "it does not import: ModuleNotFoundError: No module named 'desk_product'"),
        ("desk_exits:Cash", "it does not import: SystemExit: 3"),
    ],
)
def test_a_plug_in_that_is_broken_is_named_and_the_others_go_on(
    install: Install, tmp_path: Path, target: str, why: str
) -> None:
    install(target)
    source = tmp_path / "site" / "desk_products.py"
    source.write_text(source.read_text() + "\nclass Abstract(Product):\n    name = 'abstract'\n")
    (tmp_path / "site" / "desk_exits.py").write_text("import sys\nsys.exit(3)\n")

    found = catalogue()

    assert list(found) == [product.name for product in PRODUCTS]
    told = "the plug-in 'cash' of the package desk-products 1.0 is left out: " + why
    assert found.broken["cash"].startswith(told)
    with pytest.raises(UsageError, match="no product is called 'cash' here; the plug-in 'cash' of the package"):
        found["cash"]


def test_a_package_whose_entry_points_cannot_be_read(install: Install, tmp_path: Path) -> None:
    install("desk_products:Cash")
    other = tmp_path / "site" / "torn-2.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 2.0\n")
    (other / "entry_points.txt").write_bytes(b"[riskpipe.products]\ntorn = \xff\xfe:Torn\n")

    found = catalogue()

    assert "cash" in found
    assert found.broken["torn 2.0"].startswith(
        "the plug-ins of the package torn 2.0 are left out: its entry_points.txt"
    )


def test_trades_of_a_broken_plug_in(install: Install, tmp_path: Path) -> None:
    """Its directory is an error that names it; without trades it is a warning, and the rest is priced."""
    install("desk_product:Cash")
    market = [{"kind": "zero_rate", "name": "USD.OIS", "tenor": "1Y", "value": 0.03, "currency": "USD"}]
    row = {"trade_id": ["C1"], "book": ["treasury"], "currency": ["USD"], "amount": [100.0]}
    write_book(tmp_path, {"cash": Trades(pa.table(row))}, market)
    settings = settings_at(tmp_path, tmp_path / "output")
    with_trades = open_inputs(settings)
    (blocking,) = with_trades.blocking
    assert blocking.rule == "unknown product"
    assert "the plug-in 'cash' of the package desk-products 1.0 is left out" in blocking.message
    elsewhere = open_inputs(settings, parse_selection(["product:bond"]))
    assert [fault.rule for fault in elsewhere.blocking] == []
    assert [(f.level, f.rule) for f in elsewhere.faults if f.rule == "broken plug-in"] == [
        ("warning", "broken plug-in")
    ]


def test_is_planned_and_valued(install: Install, tmp_path: Path) -> None:
    install("desk_products:Cash")
    product = catalogue()["cash"]
    table = pa.table(
        {
            "trade_id": ["C1", "C2"],
            "book": ["treasury", "treasury"],
            "currency": ["EUR", "USD"],
            "amount": [100.0, -7.0],
        }
    )
    market = [
        {"kind": "spot", "name": "EURUSD", "value": 1.25, "currency": "USD"},
        {"kind": "zero_rate", "name": "USD.OIS", "tenor": "1Y", "value": 0.03, "currency": "USD"},
    ]
    stresses = [{"scenario": "euro up", "factor": "spot:EURUSD", "shift_type": "relative", "shift": 0.1}]
    book = write_book(tmp_path / "book", {"cash": Trades(canonical(table, product))}, market, scenarios=stresses)
    run = open_run(settings_at(book, tmp_path / "output", "measures=[pv, delta, stress]"))

    part = run.value(product, run.trades("cash"), ("pv", "delta", "stress"))

    np.testing.assert_array_equal(part.values["pv"], [100.0, -7.0])
    np.testing.assert_array_equal(part.conversion, [1.25, 1.0])
    # The account in euro gains through its conversion alone; the one in dollars does not move at all.
    np.testing.assert_allclose(part.pnl["stress"], [[12.5], [0.0]], rtol=1e-12)
    assert part.pnl["stress"][1, 0] == 0.0
