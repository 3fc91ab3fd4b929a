"""The run's own log, logs/run.jsonl: what the observer is told, a line an event."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO

from riskpipe.errors import StorageError
from riskpipe.plan.accounting import Observer, RunStatus
from riskpipe.store.filesystem import MissingFileError, Store, storage_error
from riskpipe.store.run_folder import RunFolder
from riskpipe.store.sealed import sealed_line


class RunLog:
    """Passes everything on to another observer, and keeps messages and ends of sessions in the run.

    A convenience for people, not a record (that is the ledger): lines are appended, not synced. An object store, which
    cannot append, gets the session's lines when it ends, after those of earlier ones. A log that cannot be written (a
    full disk) is told once, and the run goes on without it.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._file: IO[str] | None = None
        self._lost = False
        self._run_id: str | None = None
        self._lines: list[str] = []
        self._objects: tuple[Store, str] | None = None

    def open(self, folder: RunFolder) -> None:
        """Begin to write, with what was said before the run had a place."""
        self._run_id = folder.run_id
        path = folder.store.local_path(folder.log)
        if path is None:
            self._objects = folder.store, folder.log
            return
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self._file = open(path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  # see close()
            self._file.write("".join(self._lines))
            self._file.flush()
        except OSError as error:
            self._give_up(error, path)
        self._lines.clear()

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # of lines that did not go in; told already
                self._file.close()
            self._file = None
        if self._objects is not None and self._lines:
            # Whatever ended the session is more worth telling than that its log could not be kept.
            with suppress(StorageError):
                self._put(*self._objects)

    def _put(self, store: Store, path: str) -> None:
        before = b""
        with suppress(MissingFileError):
            before = store.read_bytes(path)
        store.write_bytes(path, before + "".join(self._lines).encode())
        self._lines.clear()

    def update(self, status: RunStatus) -> None:
        self._observer.update(status)

    def message(self, level: str, text: str) -> None:
        self._write({"level": level, "message": text})
        self._observer.message(level, text)

    def ended(self, status: RunStatus) -> None:
        self._write({"level": "info", "message": f"{status.state}", "event": "end", "status": status.to_json()})

    def _write(self, entry: dict[str, object]) -> None:
        run = {} if self._run_id is None else {"run_id": self._run_id}
        line = sealed_line({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **run, **entry})
        if self._lost:
            return
        if self._file is None:
            self._lines.append(line)
            return
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as error:
            self._give_up(error, self._file.name)

    def _give_up(self, error: OSError, path: str) -> None:
        self._lost = True
        told = storage_error(error, path, "write")
        self._observer.message("warning", f"the log of the run ends here, the run goes on: {told}")
