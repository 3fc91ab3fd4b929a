"""Books for tests that run the whole pipeline: made once a session, copied where a test changes them."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from object_server import ObjectServer, object_server

from riskpipe.config import Settings, load_settings
from riskpipe.config.layers import PREFIX, RESERVED
from riskpipe.plan.accounting import RunStatus
from riskpipe.sample import write_sample

TESTS = Path(__file__).parent

# No test is timed: the first example may compile a kernel. CI tries the same examples each time, so that a change is
# blamed for nothing but itself; everywhere else they are new ones.
hypothesis.settings.register_profile("riskpipe", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "riskpipe")

# What the shell has set of riskpipe's configuration is no test's; the tests' own variables are called TEST_*.
for _name in [name for name in os.environ if name.startswith(PREFIX) and name not in RESERVED]:
    del os.environ[_name]

# Whatever the shell says, bytecode is kept: else each process that tests start compiles riskpipe anew, and each that
# runs tests rewrites all of their assertions.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell starts its background jobs with Ctrl-C ignored, and Python leaves it so; tests are about what it does.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST = ("unit/workflows", "faults", "contract", "property", "readers", "reference")
"""Directories whose files take longest: they begin first, so that processes are busy to the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(TESTS).as_posix()
        return next((rank for rank, name in enumerate(LONGEST) if path.startswith(f"{name}/")), len(LONGEST))

    ranks = {path: rank(item) for path, item in {item.path: item for item in items}.items()}
    items.sort(key=lambda item: ranks[item.path])


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where these marks alone are asked for, files that never name them are not imported: it takes half a minute."""
    marks = set(config.option.markexpr.split()) - {"or"}
    if not marks or not marks <= {"slow", "chaos", "examples"} or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text()
    named = any(mark in text for mark in marks) or ("slow" in marks and "one_in" in text)
    return None if named else True


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: Python's collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


class Recorder:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.statuses: list[RunStatus] = []
        self.messages: list[tuple[str, str]] = []

    def update(self, status: RunStatus) -> None:
        self.statuses.append(status)

    def message(self, level: str, text: str) -> None:
        self.messages.append((level, text))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="session", autouse=True)
def kept_markets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Markets are made once a session, by the code under test: tests open few, and that takes longest.

    That what is kept is what would be made: contract/test_remembered.py.
    """
    directory = tmp_path_factory.mktemp("kept-markets")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RISKPIPE_MARKET_CACHE", str(directory))
        yield directory


COMMONEST = {
    "interest_rate_swap": 0.35,
    "fx_forward": 0.20,
    "fx_option": 0.15,
    "equity_option": 0.12,
    "bond": 0.08,
    "credit_default_swap": 0.05,
    "commodity_option": 0.05,
}


@pytest.fixture(scope="session")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """400 trades of the commonest products, 60 days of history. Read only."""
    directory = tmp_path_factory.mktemp("book") / "small"
    write_sample(directory, trades=400, scenarios=60, seed=11, products=COMMONEST)
    return directory


@pytest.fixture
def book(small_book: Path, tmp_path: Path) -> Path:
    """A copy of the small book that a test may change."""
    directory = tmp_path / "book"
    shutil.copytree(small_book, directory)
    return directory


@pytest.fixture(scope="session")
def s3() -> Iterator[ObjectServer]:
    """A real S3 server on loopback; its clients, in this process and below it, do not try for long."""
    before = dict(os.environ)
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "not-to-be-seen", "AWS_MAX_ATTEMPTS": "2"}
    try:
        with object_server() as server:
            yield server
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def bucket(s3: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of the test's own; what it fetches, it keeps in a directory of its own."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(name)
    s3.forget()
    yield name
    s3.forget()


SettingsOf = Callable[..., Settings]


@pytest.fixture
def settings_of(small_book: Path, tmp_path: Path) -> SettingsOf:
    """settings_of("cluster.kind=serial", ..., book=directory): settings with an output of their own."""

    def make(*assignments: str, book: Path = small_book, output: str = "output") -> Settings:
        given = ("cluster.kind=serial", f"output={tmp_path / output}", *assignments)
        return load_settings(book / "riskpipe.yaml", assignments=given, environment={})

    return make
