"""Inputs are opened whole, or refused with every fault that there is."""

from __future__ import annotations

from pathlib import Path

from riskpipe.inputs.opened import OpenedInputs, RefusedInputs, hash_inputs, open_inputs
from riskpipe.plan.selection import Selection


def test_inputs_that_can_be_used(settings_of) -> None:
    settings = settings_of()
    opened = open_inputs(settings)
    assert isinstance(opened, OpenedInputs)
    assert opened.snapshot is opened.model.snapshot
    assert opened.sha256 == hash_inputs(settings, Selection())
    assert set(opened.block_inputs(Selection())) == {file.path for file in opened.files}
    assert opened.blocking == ()


def test_what_is_refused_is_refused_with_all_faults(settings_of, book: Path) -> None:
    """A file without columns of its product, no history, and a market that is none: in the order of looking."""
    bond = next((book / "data/portfolio/bond").glob("*.parquet"))
    fx = next((book / "data/portfolio/fx_forward").glob("*.parquet"))
    bond.write_bytes(fx.read_bytes())
    (book / "data/history.parquet").unlink()
    refused = open_inputs(settings_of("measures=[pv, historical_var]", book=book))
    assert isinstance(refused, RefusedInputs)
    assert {fault.table for fault in refused.blocking} == {"portfolio", "history"}
    assert set(refused.blocking) <= set(refused.faults)
    assert bond.relative_to(book / "data/portfolio").as_posix() not in [file.path for file in refused.files]
    assert refused.model is not None
    assert refused.model.snapshot.groups

    (book / "data/market.parquet").write_bytes(b"no market")
    without = open_inputs(settings_of("measures=[pv, historical_var]", book=book))
    assert isinstance(without, RefusedInputs)
    assert list(dict.fromkeys(fault.table for fault in without.blocking)) == ["portfolio", "market", "history"]
    assert without.model is None
