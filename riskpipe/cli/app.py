"""The program with all of its commands, as tests and documents look at it; a command line makes its own (`main`)."""

from __future__ import annotations

from riskpipe.cli.main import program

app = program()
