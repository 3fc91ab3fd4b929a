"""Names of trades, encoded."""

from __future__ import annotations

from riskpipe.market.labels import Labels


def test_a_name_or_the_other_one() -> None:
    own, other = Labels.of(["a", None, "b", None]), Labels.of(["c", "b", None, None])

    assert own.otherwise(other).to_list() == ["a", "b", "b", None]
    assert own.otherwise(Labels.of([None] * 4)).to_list() == own.to_list()
    assert len(set(own.otherwise(other).names)) == len(own.otherwise(other).names)
