"""Files of results that are removed or changed after they were written: never published, and made again by a resume."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_runs import at_point
from published import assert_same_bits
from selections import one_in
from spoiled import rewrite, with_cells

from riskpipe.config import Settings, load_settings
from riskpipe.errors import StorageError
from riskpipe.fault_points import FaultPoint
from riskpipe.plan.accounting import SilentObserver
from riskpipe.plan.selection import Selection
from riskpipe.results.find import find_results
from riskpipe.runs.publication import Publication
from riskpipe.store.ledger import read_ledger
from riskpipe.store.location import open_store
from riskpipe.store.records import BlockDone, Combined, OutputLost
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.run_ids import list_runs
from riskpipe.workflows.publish import publish
from riskpipe.workflows.run import run

CUT = ("partition.max_trades=60", "partition.max_scenarios=300", "measures=[pv, dv01, bucketed_delta, historical_var]")
TABLES = ("valuations", "sensitivities", "scenario_pnl", "partials", "trade_failures")
WHERE = [*(f"blocks/{table}" for table in TABLES), "combined"]
# Publishing a run that is combined does not read these: they were found sound when they were.
MERGED = ("blocks/partials", "blocks/scenario_pnl")


@pytest.fixture(scope="module")
def spotted(small_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small book with a trade that has no number, so that there are failures to be lost, too. Read only."""
    directory = tmp_path_factory.mktemp("spotted") / "book"
    shutil.copytree(small_book, directory)
    rewrite(directory / "data" / "portfolio" / "fx_option" / "part-000.parquet", with_cells("strike", {3: -1.0}))
    return directory


@pytest.fixture(scope="module")
def made(spotted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that is not published yet. Read only."""
    output = tmp_path_factory.mktemp("made") / "output"
    status = run(_settings(spotted, output), Selection(), publication=Publication("never"), observer=SilentObserver())
    assert (status.state, status.published) == ("partial", False)
    return output


@pytest.fixture(scope="module")
def undisturbed(spotted: Path, made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "output"
    shutil.copytree(made, output)
    publish(_settings(spotted, output), "latest")
    return output


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "output"
    shutil.copytree(made, copy)
    return copy


def _settings(book: Path, output: Path) -> Settings:
    given = ("cluster.kind=serial", "retry.storage=0", f"output={output}", *CUT)
    return load_settings(book / "riskpipe.yaml", assignments=given, environment={})


def remove(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


HARMS: dict[str, Callable[[Path], None]] = {"removed": remove, "cut short": cut_short, "one bit flipped": flip}


@pytest.mark.parametrize("harm", list(HARMS))
@pytest.mark.parametrize("where", one_in(3, WHERE))
def test_a_harmed_file_is_not_published_and_made_again(
    where: str, harm: str, output: Path, undisturbed: Path, spotted: Path, recorder: Any
) -> None:
    settings = _settings(spotted, output)
    (root,) = (output / "runs").iterdir()
    files = sorted((root / where).glob("*.parquet"))
    victims = (files[0], files[-1])
    for victim in victims:
        HARMS[harm](victim)

    if harm == "one bit flipped" and where in MERGED:
        publish(settings, "latest")
        assert_same_bits(undisturbed, output)
        return
    with pytest.raises(StorageError) as caught:
        publish(settings, "latest")

    assert caught.value.exit_code == 6
    assert any(str(victim) in str(caught.value) for victim in victims)
    assert f"riskpipe run --resume {root.name}" in str(caught.value)
    assert not (output / "published").exists()

    status = run(settings, Selection(), resume=root.name, observer=recorder)

    assert (status.state, status.published) == ("partial", True)
    assert status.numbers.balanced
    assert status.blocks.ok == len(
        {victim for victim in victims if where != "combined"}
    )  # what is sound is not done again
    assert_same_bits(undisturbed, output)


def test_flips_anywhere_in_a_file_are_noticed(made: Path, spotted: Path, tmp_path: Path) -> None:
    """Of single bits of a valuations file some three in a hundred are read as other data."""
    output = tmp_path / "output"
    shutil.copytree(made, output)
    (root,) = (output / "runs").iterdir()
    victim = min((root / "blocks" / "valuations").iterdir(), key=lambda path: path.stat().st_size)
    content = victim.read_bytes()
    results = find_results(open_store(str(output)), root.name, _settings(spotted, output).as_of)
    for at in range(5, len(content), max(len(content) // 40, 1)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << at % 8
        victim.write_bytes(flipped)
        with pytest.raises(StorageError, match=victim.name):
            _read(results.rows("valuations", ["trade_id", "value"]))


def _read(rows: Iterator[Any]) -> None:
    for _ in rows:
        pass


READ: dict[FaultPoint, Callable[[Any], list[str]]] = {
    FaultPoint.SUM: lambda task: [file.path for file in task.payload.files],
    FaultPoint.CONCATENATE: lambda task: [task.payload.ranges[0][0].path],
    FaultPoint.PART: lambda task: [source.path for source in task.payload.sources],
}
"""Files that are read after the fault point."""


@pytest.mark.parametrize("harm", one_in(2, ["one bit flipped", "removed"]))
@pytest.mark.parametrize("point", one_in(3, READ))
def test_harm_while_the_run_goes_on(
    point: FaultPoint, harm: str, spotted: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """Between pricing and what reads the file: exit 6, and the same command goes on from there."""
    output = tmp_path / "output"
    settings = _settings(spotted, output)
    store = open_store(settings.output)

    def spoil(subject: Any) -> None:
        for path in [path for path in READ[point](subject) if "/blocks/" in path][-1:]:
            HARMS[harm](Path(store.full_path(path)))

    with at_point(point, spoil), pytest.raises(StorageError, match=r"blocks/.*: it.*riskpipe run --resume"):
        run(settings, Selection(), observer=SilentObserver())
    assert not (output / "published").exists()

    status = run(settings, Selection(), observer=SilentObserver())

    assert (status.state, status.published) == ("partial", True)
    assert status.blocks.ok == 1 or point is FaultPoint.SUM  # a sum may come before the last block
    assert len(list_runs(open_store(str(output)))) == 1
    assert_same_bits(undisturbed, output)


def test_everything_that_is_published_has_a_checksum_in_the_ledger(made: Path) -> None:
    (root,) = (made / "runs").iterdir()
    known: set[str] = set()
    for record in read_ledger(RunFolder(open_store(str(made)), root.name)):
        if isinstance(record, BlockDone):
            known |= {file.path for file in (*record.outputs.values(), *record.vectors) if len(file.sha256) == 64}
        elif isinstance(record, Combined):
            known |= {record.path} if len(record.sha256) == 64 else set()
        assert not isinstance(record, OutputLost)
    there = {
        str(path.relative_to(made)) for kind in ("blocks", "combined") for path in (root / kind).rglob("*.parquet")
    }
    assert there == known
