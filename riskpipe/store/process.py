"""Which process this is, and whether another one of this machine still lives."""

from __future__ import annotations

import getpass
import os
import socket
from typing import Any

from msgspec import Struct


class ProcessIdentity(Struct, frozen=True):
    """A process, told apart from any other in time and place.

    :param boot_id: of the machine's running kernel; empty where there is none to read.
    :param pid_namespace: processes of another namespace (container) cannot be looked up by pid.
    :param started: the process's start in clock ticks since boot.
    """

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    started: int

    @staticmethod
    def current() -> ProcessIdentity:
        pid = os.getpid()
        namespace = ""
        try:
            with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
                boot = file.read().strip()
            namespace = os.readlink("/proc/self/ns/pid")
        except OSError:
            boot = ""
        return ProcessIdentity(socket.gethostname(), boot, namespace, pid, _start_ticks(pid) or 0)

    @staticmethod
    def from_json(values: dict[str, Any]) -> ProcessIdentity:
        """:raises KeyError, TypeError, ValueError: not what `vars` of an identity gives."""
        return ProcessIdentity(
            str(values["host"]),
            str(values["boot_id"]),
            str(values["pid_namespace"]),
            int(values["pid"]),
            int(values["started"]),
        )

    def is_known_gone(self) -> bool:
        """Whether the process certainly no longer runs; False where that cannot be known from here."""
        return self._is_of_here() and _start_ticks(self.pid) != self.started

    def is_known_to_live(self) -> bool:
        """Whether the process certainly runs, or is stopped; False where that cannot be known from here."""
        return self._is_of_here() and _start_ticks(self.pid) == self.started

    def _is_of_here(self) -> bool:
        here = ProcessIdentity.current()
        same = (here.boot_id, here.pid_namespace) == (self.boot_id, self.pid_namespace)
        return same and bool(here.boot_id and here.pid_namespace)


def who() -> str:
    """`user@host`, for people."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def hold_standard_descriptors() -> None:
    """Descriptors 0 to 2 that are closed become /dev/null.

    A file opened later would take their number, and what somebody prints would go into that file.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)


def _start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/<pid>/stat; None for a process that is not there, or dead and not yet waited for."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything, so count from its end; state is the field after it.
            after_name = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if after_name[0] in (b"Z", b"X") else int(after_name[19])
