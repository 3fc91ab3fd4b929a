"""Where ORE's inputs are: its main file names them, from the directory that ORE is started in."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from msgspec import Struct

from riskpipe.errors import UsageError
from riskpipe.importers.import_report import LeftOutError
from riskpipe.importers.ore.analytics import Analytic, active_analytics
from riskpipe.importers.ore.codes import a_date
from riskpipe.importers.ore.xml import Element, read_xml


class Setup(Struct, frozen=True):
    """What ORE's main file says.

    :param configuration: of today's market, by which trades are priced.
    :param paths: by the name of the parameter, such as marketDataFile; a file may be missing.
    :param analytics: that it asks for beyond what every run has.
    """

    file: Path
    as_of: date
    base_currency: str
    configuration: str
    paths: dict[str, tuple[Path, ...]]
    analytics: tuple[Analytic, ...]

    def path(self, parameter: str) -> Path | None:
        """The file of a parameter, where it is there."""
        return next((path for path in self.paths.get(parameter, ()) if path.is_file()), None)

    def existing(self, parameter: str) -> list[Path]:
        """All files of a parameter that are there."""
        return [path for path in self.paths.get(parameter, ()) if path.is_file()]

    def need(self, parameter: str) -> Path:
        """:raises UsageError: the file is not named, or not there."""
        found = self.path(parameter)
        if found is None:
            named = ", ".join(str(path) for path in self.paths.get(parameter, ()))
            raise UsageError(f"{self.file}: {parameter}: " + (f"there is no file {named}" if named else "is not given"))
        return found


def find_setup(place: Path) -> Path:
    """ORE's main file: this one, or the one of a directory (`ore.xml`, else the only `ore*.xml`, there or in `Input`).

    :raises UsageError: there is none, or there are several.
    """
    if place.is_file():
        return place
    if not place.is_dir():
        raise UsageError(f"{place}: there is no such file or directory")
    folders = [place, place / "Input", place / "input"]
    for folder in folders:
        if (folder / "ore.xml").is_file():
            return folder / "ore.xml"
    found = sorted({path for folder in folders if folder.is_dir() for path in folder.glob("ore*.xml")})
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"{place} has no ore.xml; name ORE's main file")
    names = ", ".join(str(path.relative_to(place)) for path in found)
    raise UsageError(f"{place} has several main files; name one of them: {names}")


def read_setup(file: Path) -> Setup:
    """:raises UsageError: it is no main file of ORE, or it names no date."""
    root = read_xml(file)
    given = {e.attributes.get("name", ""): e.text.strip() for e in root.all("Setup", "Parameter")}
    if "asofDate" not in given:
        raise UsageError(f"{file}: no <Setup> with an asofDate: this is not ORE's main file")
    try:
        as_of = a_date(given["asofDate"])
    except LeftOutError as error:
        raise UsageError(f"{file}: asofDate: {error}") from None
    folder = _folder(file, given.get("inputPath", ""))
    paths = {
        name: tuple(folder / part.strip() for part in value.replace(";", ",").split(",") if part.strip())
        for name, value in given.items()
        if name.endswith("File")
    }
    markets = {e.attributes.get("name", ""): e.text.strip() for e in root.all("Markets", "Parameter")}
    configuration = markets.get("pricing", "default") or "default"
    return Setup(file, as_of, _base_currency(root, given), configuration, paths, active_analytics(root))


def _folder(file: Path, input_path: str) -> Path:
    """ORE takes its input path from where it is started: in the examples the directory above the main file's."""
    near = file.resolve().parent
    bases = (near.parent, near, Path.cwd())
    return next((base / input_path for base in bases if input_path and (base / input_path).is_dir()), near)


def _base_currency(root: Element, given: dict[str, str]) -> str:
    """That of the analytic npv, else of any, else of the set-up."""
    analytics = sorted(root.all("Analytics", "Analytic"), key=lambda e: e.attributes.get("type") != "npv")
    for analytic in analytics:
        for parameter in analytic.all("Parameter"):
            if parameter.attributes.get("name") == "baseCurrency" and parameter.text.strip():
                return parameter.text.strip()
    return given.get("baseCurrency") or "EUR"
