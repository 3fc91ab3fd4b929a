"""What the tests of a real cluster ask kubectl is asked again while the cluster is not ready, and only then."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import kube
import pytest
from kube import CommandError, Namespace

FAKE = """#!{python}
import sys
from pathlib import Path
calls = Path({calls!r})
with calls.open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
answers = {answers!r}
said = answers[min(len(calls.read_text().splitlines()), len(answers)) - 1]
if said is None:
    print("served")
else:
    print(said, file=sys.stderr)
    sys.exit(1)
"""
NOT_FOUND = 'error: Internal error occurred: unable to upgrade connection: container not found ("desk")'
Fake = Callable[..., Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """A kubectl that answers so, call by call, the last answer for ever: an error, or None for success."""

    def make(*answers: str | None) -> Path:
        program, calls = tmp_path / "bin" / "kubectl", tmp_path / "calls"
        program.parent.mkdir(exist_ok=True)
        program.write_text(FAKE.format(python=sys.executable, calls=str(calls), answers=answers))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        monkeypatch.setattr(kube, "POLL_SECONDS", 0.0)
        return calls

    return make


@pytest.mark.parametrize(
    "said",
    [
        NOT_FOUND,
        'Error from server (BadRequest): container "desk" in pod "desk" is waiting to start: ContainerCreating',
        "The connection to the server 127.0.0.1:6443 was refused - connection refused",
        "Unable to connect to the server: net/http: TLS handshake timeout",
        "Error from server: etcdserver: request timed out",
    ],
)
def test_what_passes_is_asked_again(fake: Fake, said: str) -> None:
    calls = fake(said, said, None)
    assert Namespace("space").shell("desk", "ls /data") == "served\n"
    assert calls.read_text().splitlines() == ["-n space exec desk -- sh -c ls /data"] * 3


@pytest.mark.parametrize("said", ["command terminated with exit code 2", 'pods "desk" not found', "Forbidden"])
def test_what_does_not_pass_is_told_at_once(fake: Fake, said: str) -> None:
    calls = fake(said)
    with pytest.raises(CommandError, match=said):
        Namespace("space").shell("desk", "ls /none")
    assert len(calls.read_text().splitlines()) == 1


def test_what_must_not_be_done_twice_is_not(fake: Fake) -> None:
    calls = fake(NOT_FOUND)
    with pytest.raises(CommandError, match="container not found"):
        Namespace("space").create({"kind": "Pod"})
    assert len(calls.read_text().splitlines()) == 1


def test_patience_ends_and_says_what_was_last_heard(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(NOT_FOUND)
    monkeypatch.setattr(kube, "PATIENCE", 0.0)
    with pytest.raises(TimeoutError, match=r"exec desk .*container not found"):
        Namespace("space").shell("desk", "ls /data")
