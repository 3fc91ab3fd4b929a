"""What a verification finds: damage with its place, and how much was looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec import Struct, field

from riskpipe.errors import StorageError
from riskpipe.store.checksums import content_sha256
from riskpipe.store.filesystem import MissingFileError, Store
from riskpipe.store.parquet import open_parquet
from riskpipe.store.run_folder import RunFolder
from riskpipe.structs import asdict

CHANGED, MISSING = "its content is not what was written", "it is missing"


class Damage(Struct, frozen=True):
    """Something that is not as it was written.

    :param path: of the file, as a person opens it. :param row_group, row: from 0, where they are known.
    """

    path: str
    why: str
    row_group: int | None = None
    column: str | None = None
    row: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}


class Findings(Struct):
    """What is found of a run, all of it.

    :param files: paths of the files that were held against their checksums. :param compared: rows by table.
    :param recomputed: tables that were made once more. :param notes: what is no damage, or was not looked at.
    """

    folder: RunFolder
    damages: list[Damage] = field(default_factory=list)
    files: set[str] = field(default_factory=set)
    bytes: int = 0
    compared: dict[str, int] = field(default_factory=dict)
    recomputed: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.folder.store

    def damaged(self, path: str, why: str, **place: Any) -> None:
        self.damages.append(Damage(self.store.full_path(path), why, **place))

    @contextmanager
    def looking_at(self, path: str) -> Iterator[None]:
        """What the body raises about a stored file is damage, and told once."""
        try:
            yield
        except StorageError as error:
            if not any(damage.path in str(error) for damage in self.damages):
                self.damaged(path, str(error))

    def hold(self, recorded: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        """Files against their checksums. :param recorded: path -> SHA-256."""
        wanted = list(recorded.items() if isinstance(recorded, Mapping) else recorded)
        for (path, _), damages in zip(wanted, self.store.overlapped(self._held, wanted), strict=True):
            self.files.add(path)
            self.damages += damages
            self.bytes += self.store.size(path) or 0

    def _held(self, recorded: tuple[str, str]) -> list[Damage]:
        path, sha256 = recorded
        full = self.store.full_path(path)
        try:
            if content_sha256(self.store, path) == sha256:
                return []
        except MissingFileError:
            return [Damage(full, MISSING)]
        except StorageError as error:
            return [Damage(full, str(error))]
        places = list(_damaged_columns(self.store, path)) if path.endswith(".parquet") else []
        return [Damage(full, CHANGED, group, column) for group, column in places] or [Damage(full, CHANGED)]


def _damaged_columns(store: Store, path: str) -> Iterator[tuple[int, str]]:
    """Row groups and columns of a Parquet file that cannot be read, by the checksums of its pages; none where the
    change is elsewhere."""
    try:
        with open_parquet(store, path) as file:
            shape = file.metadata.num_row_groups, file.metadata.num_columns
            names = [file.schema.column(k).path for k in range(shape[1])]
    except Exception:  # a damaged footer may come to anything
        return
    for group in range(shape[0]):
        for name in names:
            try:
                with open_parquet(store, path) as file:
                    file.read_row_group(group, [name])
            except Exception:
                yield group, name.removesuffix(".list.element")
