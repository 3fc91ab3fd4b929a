"""A location, as it is written in settings, and the store that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from riskpipe.errors import StorageError
from riskpipe.store.location import open_store, store_of_file


def test_file_uris_are_local(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/output")
    store.write_bytes("x", b"1")
    assert (tmp_path / "output/x").read_bytes() == b"1"
    assert store.local_path("x") == str(tmp_path / "output/x")


def test_the_store_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "market.parquet").write_bytes(b"m")
    for location in ("market.parquet", f"{tmp_path}/market.parquet", f"file://{tmp_path}/market.parquet"):
        store, name = store_of_file(location)
        assert (name, store.read_bytes(name)) == ("market.parquet", b"m")


def test_an_unknown_scheme() -> None:
    with pytest.raises(StorageError, match=r"cannot open gopher://x"):
        open_store("gopher://x")
