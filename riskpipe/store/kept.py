"""Results that are kept between processes, under the hash of all that they are made of.

What is kept is never needed: where it is absent, damaged or of another maker it is made again. An entry is a directory
with a file `entry.json` (facts, and the SHA-256 of every other file); it appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

#: A directory to keep results in, or `off`.
VARIABLE = "RISKPIPE_MARKET_CACHE"
OFF = "off"
KEPT_BYTES = 2 << 30

_ENTRY = "entry.json"
_TEMPORARY = ".new-"
_NAME = re.compile(r"[a-z]+-[0-9a-f]{64}")
_PIECE = 1 << 20


class Kept(Struct, frozen=True):
    """An entry that was found whole. Another process may delete it: only files that have been opened stay readable."""

    directory: Path
    facts: Any

    def path(self, name: str) -> Path:
        return self.directory / name


class KeptResults:
    """Entries of this user in one directory; `None` keeps nothing."""

    def __init__(self, root: Path | None, most_bytes: int = KEPT_BYTES) -> None:
        """:param most_bytes: of all entries together; those not used for longest are deleted beyond that."""
        self._root = root
        self._most_bytes = most_bytes

    @classmethod
    def of_user(cls) -> KeptResults:
        """In $RISKPIPE_MARKET_CACHE, else riskpipe/markets under $XDG_CACHE_HOME (~/.cache); nowhere if it is `off`, or
        if others may write there: numbers that they put there would be taken for ours."""
        given = os.environ.get(VARIABLE)
        if given == OFF:
            return cls(None)
        home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        root = Path(given or os.path.join(home, "riskpipe", "markets")).absolute()
        return cls(root if _is_own(root) else None)

    def find(self, name: str) -> Kept | None:
        """:param name: a word, a dash and a SHA-256."""
        if self._root is None:
            return None
        directory = self._path(name)
        try:
            entry = json.loads((directory / _ENTRY).read_bytes())
            files: Mapping[str, str] = entry["files"]
            if any(_sha256(directory / file) != sha256 for file, sha256 in files.items()):
                raise ValueError("a file is not what was kept")
            os.utime(directory / _ENTRY)  # the time of its last use
            return Kept(directory, entry["facts"])
        except (OSError, ValueError, KeyError, TypeError):
            shutil.rmtree(directory, ignore_errors=True)  # if it is there, it is damaged
            return None

    def keep(self, name: str, facts: Any, files: Mapping[str, Callable[[str], None]]) -> None:
        """Keep an entry if there is room.

        :param facts: JSON. :param files: name -> what writes the file to a path.
        """
        if self._root is None:
            return
        made = None
        try:
            made = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=self._root))
            for file, write in files.items():
                write(str(made / file))
            sha256 = {file: _sha256(made / file) for file in files}
            (made / _ENTRY).write_text(json.dumps({"facts": facts, "files": sha256}))
            os.rename(made, self._path(name))
            self._evict()
        except OSError:  # no room, or another process was faster
            pass
        finally:
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)

    def _path(self, name: str) -> Path:
        if self._root is None or not _NAME.fullmatch(name):
            raise ValueError(f"not the name of a kept result: {name!r}")
        return self._root / name

    def _evict(self) -> None:
        found = []
        assert self._root is not None
        for directory in self._root.iterdir():
            if _NAME.fullmatch(directory.name):
                with suppress(FileNotFoundError):
                    files = [file.stat() for file in directory.iterdir()]
                    used = (directory / _ENTRY).stat().st_mtime
                    found.append((used, sum(status.st_size for status in files), directory))
        total = 0
        for _, size, directory in sorted(found, reverse=True):
            total += size
            if total > self._most_bytes:
                shutil.rmtree(directory, ignore_errors=True)


def _is_own(root: Path) -> bool:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = root.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
