"""Whatever --set and RISKPIPE_ variables say: settings, or a ConfigurationError with every fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from selections import examples

from riskpipe.config import keys, resolve
from riskpipe.errors import ConfigurationError

FILE = """\
as_of: 2026-11-20
inputs: {portfolio: p, market: m.parquet, history: h.parquet, scenarios: s.parquet}
measures: [pv, delta, historical_var]
market:
  indices: {USD.SOFR: {curve: USD.OIS, overnight: true}}
"""
LEAVES = sorted(keys.dotted(path) for path in keys._leaves(keys.root(), ()))
SECTIONS = sorted({leaf.rpartition(".")[0] for leaf in LEAVES} - {""})
STEPS = ["0", "9", "-1", "[9]", "x", '"a.b"', '"', "", "USD.SOFR", "\0", "\ud800", "é"]
VALUES = [
    "", "~", "0", "-1", "1e400", ".nan", "[", "[]", "{}", "[pv, pv]", "[[1]]", "{a: 1}", "{1: 2}", "{[a]: 1}",
    "!!float ''", "!!bool x", "!!int _", "!!timestamp x", "!!binary x", "!!set {a}", "!!python/object:os.system x",
    "*a", "&a", "{<<: 1}", "---", "- 1", "a: b", "|", "%", "\0", "\ud800", "\n- 1", "9" * 5000, "2026-13-45",
    "0001-01-01", "190:20:30", "0x", "s3://a:b@c/d", "s3://[", "512MiB", "[[[[" * 200,
]  # fmt: skip

names = st.one_of(
    st.sampled_from(LEAVES),
    st.builds(".".join, st.lists(st.one_of(st.sampled_from(SECTIONS + STEPS), st.text(max_size=3)), max_size=4)),
)
values = st.one_of(st.sampled_from(VALUES), st.text(max_size=6))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hostile") / "riskpipe.yaml"
    path.write_text(FILE)
    return path


@examples(150, suppress_health_check=[HealthCheck.too_slow])
@example(pairs=[("bumps.spot", "!!float ''")], variables=[])  # IndexError
@example(pairs=[("bumps.spot", "!!bool x")], variables=[])  # KeyError
@example(pairs=[("as_of", "!!timestamp x")], variables=[])  # AttributeError
@example(pairs=[("measures.9", "pv"), ("measures[9]", "pv"), ("market.indices.9.x", "1")], variables=[])
@given(pairs=st.lists(st.tuples(names, values), max_size=3), variables=st.lists(st.tuples(names, values), max_size=2))
def test_settings_or_a_configuration_error(
    file: Path, pairs: list[tuple[str, str]], variables: list[tuple[str, str]]
) -> None:
    """Seen to end in IndexError, KeyError and AttributeError before: PyYAML's, of tags that do not fit their text."""
    environment = {f"RISKPIPE_{name.upper().replace('.', '__')}": value for name, value in variables}
    assignments = [f"{name}={value}" for name, value in pairs]
    faults = ["no fault"]
    try:
        resolve(file, assignments=assignments, environment=environment)
    except ConfigurationError as error:
        faults = error.faults
    assert faults
    assert all(faults)
