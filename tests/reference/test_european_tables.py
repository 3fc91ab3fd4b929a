"""The Black kernel against printed values."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from riskpipe.kernels.black import black
from riskpipe.kernels.compiler import kernel

with (Path(__file__).parent / "european_options.csv").open() as lines:
    TABLE = list(csv.DictReader(lines))


@kernel
def undiscounted(forward, strike, variance, sign, out):
    for i in range(out.size):
        out[i] = black(forward, strike, variance, sign)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['place']} {row['formula']} {row['value']}")
def test_printed_value(row):
    names = ("spot", "strike", "years", "rate", "carry", "volatility", "value", "tolerance")
    spot, strike, years, rate, carry, volatility, value, tolerance = (float(row[name]) for name in names)
    out = np.empty(1)
    sign = {"call": 1.0, "put": -1.0}[row["option_type"]]
    undiscounted(spot * math.exp(carry * years), strike, volatility**2 * years, sign, out)
    assert math.exp(-rate * years) * out[0] == pytest.approx(value, abs=tolerance)
