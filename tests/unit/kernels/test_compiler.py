"""The kernel cache: where it is, and that its name follows the sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from riskpipe.kernels import compiler
from riskpipe.kernels.compiler import kernel, source_hash

PROGRAM = "from riskpipe.kernels.compiler import cache_directory; print(cache_directory())"


def directory_with(*, before=(), **environment):
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in ("RISKPIPE_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
    }
    root = str(Path(compiler.__file__).parents[2])
    done = subprocess.run(
        [*before, sys.executable, "-c", PROGRAM],
        env={**inherited, "PYTHONPATH": root, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip())


def test_first_of_the_three_roots_is_used(tmp_path):
    a, b, c = (str(tmp_path / name) for name in "abc")
    name = source_hash()
    assert directory_with(RISKPIPE_CACHE_DIR=a, NUMBA_CACHE_DIR=b, XDG_CACHE_HOME=c) == tmp_path / "a" / name
    assert directory_with(NUMBA_CACHE_DIR=b, XDG_CACHE_HOME=c) == tmp_path / "b" / name
    assert directory_with(XDG_CACHE_HOME=c) == tmp_path / "c" / "riskpipe" / "kernels" / name
    assert (tmp_path / "c" / "riskpipe" / "kernels" / name).is_dir()


def test_unwritable_root_falls_back_to_a_temporary_directory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    directory = directory_with(RISKPIPE_CACHE_DIR=str(tmp_path / "file"), TMPDIR=str(tmp_path))
    assert directory.parent.parent == tmp_path
    assert directory.is_dir()


def test_hash_follows_every_kernel_source(tmp_path, monkeypatch):
    folder = tmp_path / "kernels"
    shutil.copytree(Path(compiler.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compiler, "__file__", str(folder / "compiler.py"))
    before = source_hash()
    with (folder / "volatility.py").open("a") as source:
        source.write("\n")
    assert source_hash() != before


def test_kernels_compile_without_fast_math_and_leave_numba_alone():
    @kernel
    def left_to_right(values):
        total = 0.0
        for value in values:
            total += value
        return total

    assert left_to_right(np.array([1e16, 1.0, -1e16, 1.0] * 16)) == 1.0
    assert left_to_right.targetoptions["nogil"]
    own = numba.config.CACHE_DIR
    assert own == os.environ.get("NUMBA_CACHE_DIR", "")


def read_only(root):
    """A cache as it is in an image: its files are there, nobody may write."""
    kernels = root / source_hash() / "kernels_1"
    kernels.mkdir(parents=True)
    (kernels / "black.nbi").write_bytes(b"index")
    for path in (root, root / source_hash(), kernels):
        path.chmod(0o555)
    (kernels / "black.nbi").chmod(0o444)
    return root


@pytest.fixture
def unprivileged():
    """Words before a command that take root's power to write anywhere from it."""
    if os.getuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root writes anywhere, and there is no setpriv")
    return ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all"]


def test_a_cache_that_cannot_be_written_is_copied(tmp_path, unprivileged):
    root = read_only(tmp_path / "image")
    directory = directory_with(before=unprivileged, RISKPIPE_CACHE_DIR=str(root), TMPDIR=str(tmp_path))
    assert directory.parent.parent == tmp_path
    assert (directory / "kernels_1" / "black.nbi").read_bytes() == b"index"
    assert os.access(directory / "kernels_1", os.W_OK)
    assert [path.name for path in directory.parent.iterdir()] == [directory.name]


@pytest.mark.parametrize("place", ["", "kernels_1", "kernels_1/black.nbi"])
def test_a_cache_that_others_can_write_is_not_copied(tmp_path, unprivileged, place):
    root = read_only(tmp_path / "image")
    (root / source_hash() / place).chmod(0o666 if place.endswith("nbi") else 0o577)
    directory = directory_with(before=unprivileged, RISKPIPE_CACHE_DIR=str(root), TMPDIR=str(tmp_path))
    assert directory.parent.parent == tmp_path
    assert list(directory.iterdir()) == []


def test_hash_follows_the_processor(monkeypatch):
    before = source_hash()
    monkeypatch.setattr(compiler.target, "description", lambda: "another")
    assert source_hash() != before


def test_a_kernel_from_the_cache_needs_nothing_that_compiles(tmp_path):
    program = """
import sys
import numpy as np
from riskpipe.kernels.compiler import kernels
from riskpipe.kernels.greedy_cuts import cut_rows
cuts = cut_rows(np.ones(5), np.ones(5), np.ones(5, np.bool_), 2.5, 9.0, 9)
loaded, made = next((each.loaded, each.made) for each in kernels() if each.name == "greedy_cuts.cut_rows")
print(*cuts, "loaded", loaded, "made", made, "can compile" if "numba.np.npyimpl" in sys.modules else "")
"""
    said = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "RISKPIPE_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["0 2 4 5 loaded 0 made 1 can compile", "0 2 4 5 loaded 1 made 0"]


@pytest.mark.slow
def test_a_kernel_is_compiled_with_helpers_from_the_cache(tmp_path):
    program = """
import numpy as np
from riskpipe.kernels import amounts
from riskpipe.kernels.compiler import kernels
flows = (np.array([0, 0, 1]), np.array([5, 9, 5], np.int32), np.array([1.0, 2.0, 3.0]))
into = tuple(map(np.empty_like, flows))
count = amounts.merge(np.array([0, 2, 3]), flows, into)
made = next(each.made for each in kernels() if each.name == "amounts.merge")
print(count, *into[2], "made", made, "helpers", sum(amounts._key.stats.cache_hits.values()))
"""

    def said():
        environment = {**os.environ, "RISKPIPE_CACHE_DIR": str(tmp_path)}
        command = [sys.executable, "-c", program]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    assert said() == "3 1.0 2.0 3.0 made 1 helpers 0"
    for index in tmp_path.rglob("amounts.merge*"):
        index.unlink()
    assert said() == "3 1.0 2.0 3.0 made 1 helpers 1"


SUMS = """
import numpy as np
from riskpipe.kernels import compiler, sums

sums.summable(np.ones((2, 3)))
(found,) = (each for each in compiler.kernels() if each.signatures)
print(sums.__file__, found.loaded, found.made, sep="|")
"""


@pytest.mark.slow
def test_another_environment_compiles_nothing(tmp_path):
    """The package at another path, with other time stamps and an upgrade of all that is no kernel."""
    own = Path(compiler.__file__).parents[1]
    copied = tmp_path / "elsewhere" / "riskpipe"
    shutil.copytree(own, copied, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("__pycache__"))
    (copied / "__init__.py").write_text((own / "__init__.py").read_text() + '\n__version__ = "99.0"\n')
    told = []
    for root in (own.parent, copied.parent):
        environment = {**os.environ, "PYTHONPATH": str(root), "RISKPIPE_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(
            [sys.executable, "-c", SUMS], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        told.append(done.stdout.strip())
    assert told == [f"{own}/kernels/sums.py|0|1", f"{copied}/kernels/sums.py|1|0"]
