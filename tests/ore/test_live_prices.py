"""Books of ORE's inputs are worth what Open Source Risk Engine says of the same files, priced here and now.

Needs the extra `ore`. Where ORE_EXAMPLES is the directory of ORE's example inputs (its `Examples`), they
are priced, too; without it they are skipped.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ore_inputs import write_inputs
from typer.testing import CliRunner

from riskpipe.cli.app import app
from riskpipe.errors import ExitCode

pytestmark = pytest.mark.ore

EXAMPLES = os.environ.get("ORE_EXAMPLES", "")
# ORE in a process of its own: it keeps settings and conventions for good.
PRICE = "import sys; from ORE import *; p = Parameters(); p.fromFile(sys.argv[1]); OREApp(p, False).run()"
ANALYTICS = (
    '<Analytics><Analytic type="npv"><Parameter name="active">Y</Parameter>'
    '<Parameter name="baseCurrency">{}</Parameter>'
    '<Parameter name="outputFileName">npv.csv</Parameter></Analytic></Analytics>'
)
WITHIN = 1e-6
PRICED = {
    "CurveBuilding": "consistency_ois consistency_xoiseur consistency_xoisusd discountratio_eur discountratio_usd "
    "fixedfloatccs prime",
    "MinimalSetup": "swaption",
    "MarketRisk": "sensi stress sensismile_atm parametricvar sensi_eq_credit_index_decomposition parsensi_irfut "
    "parstress_xccy parstress_cds parstress_cap pnl correlation",
}
"""Main files `ore_<name>.xml` of examples with trades that are taken."""


def ore_values(main_file: Path, output: Path) -> dict[str, tuple[float, float]]:
    """Present value and notional by trade, in the base currency, by ORE."""
    text = main_file.read_text()
    found = re.search(r'name="baseCurrency">(\w+)', text)
    assert found is not None
    text = re.sub(r"<Analytics>.*</Analytics>", ANALYTICS.format(found[1]), text, flags=re.DOTALL)
    text = re.sub(r'(name="outputPath">)[^<]*', rf"\g<1>{output}", text)
    output.mkdir()
    (output / "main.xml").write_text(text)
    subprocess.run([sys.executable, "-c", PRICE, str(output / "main.xml")], cwd=main_file.parent.parent, check=True)
    with (output / "npv.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {
        row["#TradeId"]: (float(row["NPV(Base)"]), abs(float(row["Notional(Base)"])) or 1.0)
        for row in rows
        if row["NPV(Base)"] != "#N/A"
    }


def riskpipe_values(main_file: Path, book: Path) -> tuple[dict[str, float], set[str]]:
    """Present value by trade of ORE, and the trades that were left out."""
    runner = CliRunner()
    commands = (
        ["import", "ore", str(main_file), "-o", str(book)],
        ["run", "-c", str(book / "riskpipe.yaml"), "--set", "cluster.kind=serial", "-q"],
    )
    for command in commands:
        result = runner.invoke(app, command)
        assert result.exit_code in (ExitCode.DONE, ExitCode.PARTIAL), result.output
    values: dict[str, float] = {}
    for row in pq.read_table(book / "output/published/valuations").to_pylist():
        trade = re.sub(r"\.(premium\d*|cap|floor|funding)$", "", row["trade_id"])
        if row["measure"] == "pv":
            values[trade] = values.get(trade, 0.0) + row["value_base"]
    report = pq.read_table(book / "import/report.parquet").to_pylist()
    return values, {row["name"] for row in report if row["kind"] == "trade" and row["treatment"] == "left_out"}


def compare(main_file: Path, tmp_path: Path) -> tuple[int, int]:
    """How many trades ORE prices, and how many of them riskpipe, alike."""
    pytest.importorskip("ORE", reason="the extra ore is not installed")
    expected = ore_values(main_file, tmp_path / "ore")
    found, left_out = riskpipe_values(main_file, tmp_path / "book")
    assert expected
    assert expected.keys() <= found.keys() | left_out
    for trade in expected.keys() & found.keys():
        value, notional = expected[trade]
        assert found[trade] == pytest.approx(value, abs=WITHIN * notional), trade
    return len(expected), len(expected.keys() & found.keys())


def test_own_inputs(tmp_path: Path) -> None:
    asked, priced = compare(write_inputs(tmp_path), tmp_path)

    assert asked == priced == 9


def _examples() -> Iterator[tuple[str, str]]:
    for folder, names in PRICED.items():
        for name in names.split():
            yield folder, f"ore_{name}.xml"


@pytest.mark.skipif(not EXAMPLES, reason="ORE_EXAMPLES does not say where ORE's examples are")
@pytest.mark.parametrize(("folder", "file"), list(_examples()))
def test_examples(folder: str, file: str, tmp_path: Path) -> None:
    compare(Path(EXAMPLES) / folder / "Input" / file, tmp_path)
