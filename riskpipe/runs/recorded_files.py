"""Files of a run that lie beside its blocks' outputs, each held against what was recorded when it was written.

What is written with the plan is in the run's specification; what every session writes anew is in the record of its end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from msgspec import Struct

from riskpipe.store.ledger import session_records
from riskpipe.store.parquet import ChangedFileError
from riskpipe.store.records import Record, SessionEnded, SessionStarted
from riskpipe.store.run_folder import RunFolder
from riskpipe.valuation.spec import read_spec


class RecordedFiles(Struct, frozen=True):
    """:param sha256: path -> of its content, as far as it is known: versions before recorded less."""

    folder: RunFolder
    sha256: Mapping[str, str]

    def of(self, path: str) -> str | None:
        """What a file's content must be; None: nobody recorded it."""
        return self.sha256.get(path)

    def read(self, path: str) -> bytes | None:
        """A file's content; None: there is no such file. :raises ChangedFileError: it is another."""
        store = self.folder.store
        if not store.exists(path):
            return None
        content = store.read_bytes(path)
        if self.of(path) not in (None, hashlib.sha256(content).hexdigest()):
            raise ChangedFileError(
                f"{store.full_path(path)} is not the file that was written there: something else changed it"
            )
        return content


def recorded_files(folder: RunFolder, records: Iterable[Record] | None = None) -> RecordedFiles:
    """What is recorded of a run's files; nothing before it has its specification.

    :param records: its ledger, where that was read already.
    :raises StorageError: specification or ledger cannot be read.
    """
    ended = ended_files(session_records(folder) if records is None else records)
    return RecordedFiles(folder, {**planned_files(folder), **{f"{folder.root}/{k}": v for k, v in ended.items()}})


def planned_files(folder: RunFolder) -> dict[str, str]:
    """Path -> SHA-256 of the files that are written with the plan; none of a run that was cleared away."""
    if not folder.store.exists(folder.valuation):
        return {}
    beside = [folder.plan, folder.quarantine, folder.checks, folder.config, folder.inputs]
    paths = {path.rpartition("/")[2]: path for path in beside}
    known = read_spec(folder).files_sha256
    return {paths.get(name, f"{folder.root}/inputs/{name}"): sha256 for name, sha256 in known.items()}


def ended_files(records: Iterable[Record]) -> Mapping[str, str]:
    """What the last session recorded of the files that it wrote anew; nothing while it has not ended, or was killed."""
    files: Mapping[str, str] = {}
    for record in records:
        if isinstance(record, SessionStarted):
            files = {}
        elif isinstance(record, SessionEnded):
            files = record.files
    return files
