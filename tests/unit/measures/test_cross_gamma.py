"""Pairs that cross_gamma is asked for, and the market or the configuration does not have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import defaults
import pyarrow as pa
import pytest
from msgspec.structs import asdict

from riskpipe.config import load_settings
from riskpipe.errors import ConfigurationError, Level
from riskpipe.market.conventions import Conventions
from riskpipe.market.snapshot import MarketSnapshot
from riskpipe.measures.cross_gamma import CrossGammaFamily
from riskpipe.measures.families import Bumps

MARKET = pa.table(
    {
        "factor": ["spot:ACME", "black_vol:ACME:1Y"],
        "kind": ["spot", "black_vol"],
        "name": ["ACME", "ACME"],
        "tenor": [None, "1Y"],
        "strike_type": [None, "atm"],
        "value": [100.0, 0.2],
    }
)


def test_a_group_that_the_market_lacks() -> None:
    snapshot = MarketSnapshot.from_table(MARKET, 20_000)
    bumps = Bumps(**{**asdict(defaults.BUMPS), "cross_gamma": (("spot:ACME", "black_vol:ACNE"),)})

    assert list(CrossGammaFamily().subjects(snapshot, bumps, Conventions())) == []
    (found,) = CrossGammaFamily().faults(snapshot, bumps)
    assert (found.level, found.column) == (Level.ERROR, "cross_gamma")
    assert re.search(r"no black_vol:ACNE, which bumps\.cross_gamma names.*black_vol:ACME", found.message)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((), "cross_gamma needs pairs: bumps.cross_gamma"),
        (("bumps.cross_gamma=[[spot:ACME, ACME]]",), "a kind and a name, such as spot:SPX is wanted, got 'ACME'"),
        (("bumps.cross_gamma=[[spot:ACME, spot:ACME]]",), "pairs of two; of one alone gamma and volga are measures"),
        (("bumps.cross_gamma=[[spot:A, spot:B], [spot:B, spot:A]]",), "named twice: spot:A x spot:B"),
    ],
)
def test_pairs_that_are_none(given: Sequence[str], message: str, tmp_path: Path) -> None:
    file = tmp_path / "riskpipe.yaml"
    file.write_text("as_of: 2026-11-20\ninputs: {portfolio: p, market: m}\nmeasures: [pv, cross_gamma]\n")

    with pytest.raises(ConfigurationError) as refused:
        load_settings(file, assignments=given, environment={})

    assert message in str(refused.value)
