"""A namespace of a real cluster, through kubectl and helm; waits are polls of conditions, each with a deadline.

A cluster on busy cores refuses for a while what it serves later: a container that is not there yet (or not again), an
API server that does not answer. What may be done twice (get, exec of these scripts, logs) is asked again until then.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

Json = dict[str, Any]
Found = TypeVar("Found")

POLL_SECONDS = 0.5
# The machine may be busy with other things: a deadline tells a hang from slowness, and nothing else.
PATIENCE = 600.0


class CommandError(AssertionError):
    """A command of kubectl or helm failed."""


REPEATED = {"get", "exec", "logs"}
PASSES = re.compile(
    r"container not found|unable to upgrade connection|error dialing backend|waiting to start|ContainerCreating"
    r"|PodInitializing|does not have a host assigned|connection refused|connection reset|i/o timeout"
    r"|TLS handshake timeout|unexpected EOF|unable to handle the request|request timed out|Too Many Requests"
    r"|unable to connect to the server",
    re.IGNORECASE,
)


def command(*arguments: str, stdin: bytes | None = None, seconds: float | None = None) -> bytes:
    """What the command writes to stdout.

    :param seconds: for what should pass, unless PATIENCE.
    :raises CommandError: it failed. :raises TimeoutError: for a reason that should have passed.
    """

    def done() -> subprocess.CompletedProcess[bytes] | None:
        nonlocal said
        ended = subprocess.run(arguments, input=stdin, capture_output=True, check=False)
        said = ended.stderr.decode(errors="replace").strip()
        passes = ended.returncode != 0 and REPEATED & set(arguments[1:4]) and PASSES.search(said)
        return None if passes else ended

    said, shown = "", " ".join(arguments)
    try:
        ended = until(done, shown, seconds)
    except TimeoutError as error:
        raise TimeoutError(f"{error}: {said}") from None
    if ended.returncode != 0:
        raise CommandError(f"{shown}: {said}")
    return ended.stdout


def until(look: Callable[[], Found | None], what: str, seconds: float | None = None) -> Found:
    """What `look` finds, as soon as it finds something.

    :param seconds: unless PATIENCE. :raises TimeoutError: nothing in time.
    """
    seconds = PATIENCE if seconds is None else seconds
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds:g} s still not: {what}")
        time.sleep(POLL_SECONDS)


@dataclass(frozen=True)
class Namespace:
    """The objects of one namespace."""

    name: str

    def kubectl(self, *arguments: str, stdin: bytes | None = None) -> str:
        return command("kubectl", "-n", self.name, *arguments, stdin=stdin).decode()

    def helm(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        given = [] if values is None else ["-f", "-"]
        # As YAML, as a user's file is: a configuration has dates, which JSON has not.
        stdin = None if values is None else yaml.safe_dump(dict(values)).encode()
        return command("helm", "-n", self.name, *arguments, *given, stdin=stdin).decode()

    def create(self, *objects: Json) -> list[Json]:
        """The objects as the API server has stored them."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        answer = json.loads(self.kubectl("create", "-o", "json", "-f", "-", stdin=text.encode()))
        return answer.get("items") or [answer]

    def all(self, kind: str, selector: str = "") -> list[Json]:
        return json.loads(self.kubectl("get", kind, "-o", "json", "-l", selector))["items"]

    def one(self, kind: str, name: str) -> Json:
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def delete(self, kind: str, name: str, *, at_once: bool = False) -> None:
        """Ask for it; `at_once`: as a crash would, without a word to the container."""
        force = ["--grace-period=0", "--force"] if at_once else []
        self.kubectl("delete", kind, name, "--wait=false", *force)

    def logs(self, pod: str) -> str:
        return self.kubectl("logs", pod)

    # -- pods of riskpipe

    def pods(self, job: str) -> list[Json]:
        """A Job's pods, oldest first."""
        found = self.all("pods", f"job-name={job}")
        return sorted(found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def dask_pods(self, component: str) -> list[Json]:
        """Running pods of the run's clusters: component scheduler or worker."""
        found = self.all("pods", f"dask.org/component={component}")
        return [pod for pod in found if pod["status"].get("phase") == "Running" and not _going(pod)]

    def ended(self, job: str) -> str | None:
        """Complete or Failed, once it is."""
        for condition in self.one("job", job).get("status", {}).get("conditions", []):
            if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                return str(condition["type"])
        return None

    def outcome(self, job: str, seconds: float | None = None) -> str:
        try:
            return until(lambda: self.ended(job), f"the end of Job {job}", seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.kubectl('get', 'pods,daskclusters')}\n{self.told(job)}") from None

    def told(self, job: str) -> str:
        """All that the Job's pods have said."""
        return "\n".join(self.logs(pod["metadata"]["name"]) for pod in self.pods(job))

    # -- files on the data volume, through a pod that has it

    def shell(self, pod: str, script: str) -> str:
        return self.kubectl("exec", pod, "--", "sh", "-c", script)

    def fetch(self, pod: str, directory: str, into: Path) -> Path:
        """A directory of the pod, copied."""
        packed = command("kubectl", "-n", self.name, "exec", pod, "--", "tar", "-C", directory, "-cf", "-", ".")
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(into, filter="data")
        return into


def exit_code(pod: Json) -> int | None:
    """Of the pod's only container, once it has ended."""
    for status in pod["status"].get("containerStatuses", []):
        ended = status["state"].get("terminated")
        if ended is not None:
            return int(ended["exitCode"])
    return None


def _going(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]
