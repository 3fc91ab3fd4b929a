"""Results kept between processes: whole or not at all, never needed, never somebody else's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from riskpipe.store.kept import Kept, KeptResults

A, B, C = (f"market-{letter * 64}" for letter in "abc")


def put(kept: KeptResults, name: str, text: str = "x") -> None:
    kept.keep(name, {"of": text}, {"data": lambda path: Path(path).write_text(text)})


def test_what_is_kept_is_found(tmp_path: Path) -> None:
    put(KeptResults(tmp_path), A, "hello")
    found = KeptResults(tmp_path).find(A)
    assert found == Kept(tmp_path / A, {"of": "hello"})
    assert found.path("data").read_text() == "hello"
    assert KeptResults(tmp_path).find(B) is None


@pytest.mark.parametrize("file", ["data", "entry.json"])
@pytest.mark.parametrize("change", ["cut", "other", "gone"])
def test_what_is_damaged_is_as_absent_and_is_made_again(tmp_path: Path, file: str, change: str) -> None:
    kept = KeptResults(tmp_path)
    put(kept, A, "hello")
    path = tmp_path / A / file
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + (b"" if change == "cut" else b"?"))
    assert kept.find(A) is None
    put(kept, A, "hello")
    assert kept.find(A) is not None


def test_those_not_used_for_longest_make_room(tmp_path: Path) -> None:
    kept = KeptResults(tmp_path, most_bytes=1600)
    for age, name in ((3000, A), (2000, B)):
        put(kept, name, "x" * 300)
        used = (tmp_path / name / "entry.json").stat().st_mtime - age
        os.utime(tmp_path / name / "entry.json", (used, used))
    assert kept.find(A) is not None  # used now
    put(kept, C, "x" * 300)
    assert kept.find(B) is None
    assert kept.find(A) is not None
    assert kept.find(C) is not None


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def full(path: str) -> None:
        Path(path).write_text("half")
        raise OSError(28, "No space left on device")

    KeptResults(tmp_path).keep(A, None, {"data": full})
    assert list(tmp_path.iterdir()) == []


def test_where_it_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RISKPIPE_MARKET_CACHE")
    put(KeptResults.of_user(), A)
    assert (tmp_path / "cache/riskpipe/markets" / A / "data").exists()
    monkeypatch.setenv("RISKPIPE_MARKET_CACHE", str(tmp_path / "mine"))
    put(KeptResults.of_user(), A)
    assert (tmp_path / "mine" / A / "data").exists()
    monkeypatch.setenv("RISKPIPE_MARKET_CACHE", "off")
    put(KeptResults.of_user(), B)
    assert KeptResults.of_user().find(A) is None


@pytest.mark.parametrize("obstacle", ["writable by all", "a link", "a file"])
def test_nothing_is_kept_where_others_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str) -> None:
    root, other = tmp_path / "root", tmp_path / "other"
    other.mkdir()
    if obstacle == "a link":
        root.symlink_to(other)
    elif obstacle == "a file":
        root.touch()
    else:
        root.mkdir()
        root.chmod(0o777)
    monkeypatch.setenv("RISKPIPE_MARKET_CACHE", str(root))
    put(KeptResults.of_user(), A)
    assert KeptResults.of_user().find(A) is None
    assert list(other.iterdir()) == []


def test_names_lead_nowhere_else(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the name"):
        KeptResults(tmp_path).find("../market-" + "a" * 64)
