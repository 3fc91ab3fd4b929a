"""`riskpipe verify`: no false alarm of a run that is sound, and every changed bit of one that is not."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from fault_runs import disturbed
from object_server import ObjectServer
from spoiled import Book

from riskpipe.config import Settings, load_settings
from riskpipe.errors import ExitCode
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.sample import write_sample
from riskpipe.store.layout import CURRENT
from riskpipe.store.location import open_store
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.publish import publish
from riskpipe.workflows.report import report
from riskpipe.workflows.retry import retry
from riskpipe.workflows.run import run
from riskpipe.workflows.verify import Rows, VerifyReport, verify

FLIPS = int(os.environ.get("RISKPIPE_BIT_FLIPS", "40"))
"""1,000 are what `verify` is proven with once a release."""

SERIAL = "cluster.kind=serial"


def settings_of(book: Path, output: str | Path, *assignments: str) -> Settings:
    given = (SERIAL, f"output={output}", *assignments)
    return load_settings(book / "riskpipe.yaml", assignments=given, environment={})


def told(found: VerifyReport) -> str:
    return "; ".join(f"{damage.path}: {damage.why}" for damage in found.damages)


@pytest.fixture(scope="module")
def mixed_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few trades of several products, every measure of the sample. Read only."""
    directory = tmp_path_factory.mktemp("verify") / "book"
    write_sample(directory, trades=48, scenarios=40, seed=5)
    return directory


@pytest.fixture(scope="module")
def published_run(mixed_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run with a report, published. Read only."""
    output = tmp_path_factory.mktemp("verify") / "output"
    settings = settings_of(mixed_book, output)
    assert run(settings, Selection(), observer=SilentObserver()).published
    report(settings, "latest")
    return output


@pytest.mark.slow
def test_a_published_run_is_sound_in_every_row(mixed_book: Path, published_run: Path) -> None:
    for rows in Rows:
        found = verify(settings_of(mixed_book, published_run), "latest", rows)

        assert found.sound, told(found)
        assert not found.notes
        assert found.exit_code == ExitCode.DONE
        assert found.numbers["planned"] == sum(
            found.numbers[k] for k in ("ok", "failed", "not_applicable", "cancelled")
        )
    assert {"aggregates", "book_pnl", "var", "var_components"} <= set(
        verify(settings_of(mixed_book, published_run), "latest", Rows.ALL).recomputed
    )


@pytest.mark.slow
def test_each_changed_bit_of_a_run_is_found(mixed_book: Path, published_run: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    shutil.copytree(published_run, output)
    settings = settings_of(mixed_book, output)
    (root,) = (output / "runs").iterdir()
    places = [path for path in (*root.rglob("*"), *(output / "published").rglob("*.parquet")) if path.is_file()]
    places.append(output / CURRENT)
    choose = random.Random(int(os.environ.get("TEST_BIT_FLIPS_SEED", "20261120")))
    sizes = [path.stat().st_size for path in places]
    missed = []
    for number in range(FLIPS):  # of a file as likely as of another, or of a byte as likely as of another
        (path,) = choose.choices(places, sizes if number % 2 else None)
        content = path.read_bytes()
        at, bit = choose.randrange(len(content)), choose.randrange(8)
        changed = bytearray(content)
        changed[at] ^= 1 << bit
        path.write_bytes(changed)

        found = verify(settings, root.name, Rows.NONE)

        if found.exit_code != ExitCode.INFRASTRUCTURE or str(path) not in told(found):
            missed.append((str(path), at, bit, told(found)))
        path.write_bytes(content)
    assert not missed
    assert verify(settings, root.name).sound


@pytest.mark.slow
def test_inputs_that_are_others_now_are_no_damage(mixed_book: Path, published_run: Path, tmp_path: Path) -> None:
    shutil.copytree(published_run, tmp_path / "output")
    (root,) = (tmp_path / "output" / "runs").iterdir()
    settings = settings_of(mixed_book, tmp_path / "output")
    history, market = mixed_book / "data" / "history.parquet", mixed_book / "data" / "market.parquet"
    content = market.read_bytes()
    history.rename(tmp_path / "history.parquet")
    market.write_bytes(content[:-1])
    try:
        found = verify(settings, root.name, Rows.NONE)
    finally:
        market.write_bytes(content)
        (tmp_path / "history.parquet").rename(history)

    assert found.sound, told(found)
    assert any("others now" in note or "not there" in note for note in found.notes if "market" in note)
    assert any("not there any more, such as" in note for note in found.notes)


@pytest.mark.slow
def test_damage_is_told_with_its_place_and_all_at_once(mixed_book: Path, published_run: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    shutil.copytree(published_run, output)
    (root,) = (output / "runs").iterdir()
    vectors = next((output / "published" / "scenario_pnl").rglob("*.parquet"))
    content = bytearray(vectors.read_bytes())
    content[len(content) // 2] ^= 4
    vectors.write_bytes(content)
    (root / "summary.json").unlink()
    segments = sorted((root / "ledger").iterdir())
    segments[0].write_bytes(segments[0].read_bytes()[:-1])
    beside = next((output / "published" / "valuations").iterdir()) / "part-900.parquet"
    shutil.copyfile(vectors, beside)

    answer = Book(mixed_book, output).riskpipe("verify", "--json")

    assert answer.code == 6
    damaged = {Path(each["path"]).name: each for each in answer.json["damages"] if each["path"] != str(beside)}
    assert damaged[vectors.name]["row_group"] == 0
    assert damaged["ledger"]["why"].count(segments[0].name)
    assert str(beside) in {each["path"] for each in answer.json["damages"]}


@pytest.mark.slow
def test_runs_that_were_killed_and_repeated_are_sound(mixed_book: Path, tmp_path: Path) -> None:
    output, chosen = tmp_path / "output", ("measures=[pv, historical_var]", "partition.max_trades=4")
    for point, times in ((FaultPoint.WRITE_RUN, 1), (FaultPoint.EVENT, 9), (FaultPoint.PLACE_TABLE, 2)):
        disturbed(mixed_book, "kill", point, times, SERIAL, f"output={output}", *chosen)
        store = open_store(str(output))
        if list_runs(store):
            found = verify(settings_of(mixed_book, output, *chosen), "latest")
            assert found.sound, told(found)
    settings = settings_of(mixed_book, output, *chosen)
    assert run(settings, Selection(), observer=SilentObserver()).published
    retry(settings, "latest", Selection(), SilentObserver())
    publish(settings, "latest")
    assert verify(settings, list_runs(open_store(str(output)))[0]).sound

    found = verify(settings, "latest", Rows.ALL)

    assert found.sound, told(found)


@pytest.mark.slow
def test_a_run_in_an_object_store_is_verified(mixed_book: Path, bucket: str, s3: ObjectServer) -> None:
    settings = settings_of(mixed_book, s3.uri(f"{bucket}/out"), "measures=[pv, historical_var]")
    assert run(settings, Selection(), observer=SilentObserver()).published

    found = verify(settings, "latest", Rows.ALL)

    assert found.sound, told(found)


READ_BY = {
    "config.resolved.yaml": ("report", "latest"),
    "inputs.json": ("report", "latest"),
    "checks.parquet": ("report", "latest"),
    "failures.parquet": ("report", "latest"),
    "blocks.parquet": ("report", "latest"),
    "summary.json": ("runs", "show", "latest"),
    "run.json": ("runs", "show", "latest"),
    "inputs/market.arrow": ("explain", "--book", "", "--measure", "var_99"),
    "published/aggregates": ("diff", "latest", "published"),
    "published/valuations": ("explain", "FXF-0000001"),
    "published/book_pnl": ("analyse", "var"),
    CURRENT: ("publish", "latest"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", READ_BY)
def test_who_reads_a_changed_file_says_so(name: str, mixed_book: Path, published_run: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    shutil.copytree(published_run, output)
    (root,) = (output / "runs").iterdir()
    if name.startswith("published/"):
        (path,) = (output / name).rglob("*.parquet")
    else:
        path = output / name if name == CURRENT else root / name
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)

    answer = Book(mixed_book, output).riskpipe(*READ_BY[name])

    assert answer.code == 6, answer.stderr
    assert path.name in answer.stderr
