"""What every command is given: the options that hold everywhere, and ways to read settings and to answer."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from riskpipe.cli.messages import LogFormat, Messages
from riskpipe.cli.streams import write

if TYPE_CHECKING:
    from riskpipe.config import Resolution, Settings


class Invocation(Struct, frozen=True):
    """The options given before and after the command's name, taken together."""

    config: str | None = None
    as_of: str | None = None
    assignments: tuple[str, ...] = ()
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    log_format: LogFormat = LogFormat.auto
    colour: bool = True
    command: str = "riskpipe"
    days: dict[str, str] = field(default_factory=dict)  # what --as-of came to, once it was read

    @property
    def messages(self) -> Messages:
        return Messages(self.log_format, self.quiet, self.verbose, self.colour)

    def resolution(self) -> Resolution:
        """The configuration with the origin of every value; raises ConfigurationError."""
        from riskpipe.config import resolve

        resolution = resolve(self.config, as_of=self.as_of, assignments=self.assignments)
        if self.as_of is not None:
            self.days[self.as_of] = resolution.settings.as_of.isoformat()
        return resolution

    def settings(self) -> Settings:
        """The configuration; raises ConfigurationError."""
        return self.resolution().settings

    def answer(self, value: dict[str, Any], lines: list[str]) -> None:
        """The data: JSON if asked for, else lines of text. To stdout.

        :raises RiskpipeError: stdout does not take it.
        """
        write(json.dumps(value, indent=2, default=str) if self.json else "\n".join(lines))

    def next_command(self, words: str) -> str:
        """A command to try next, with what it takes to mean the same configuration."""
        options: list[str] = []
        if self.config:
            options += ["-c", self.config]
        if self.as_of:
            options += ["--as-of", self.days.get(self.as_of, self.as_of)]  # today may be over by then
        for assignment in self.assignments:
            options += ["--set", assignment]
        return " ".join(["riskpipe", words, *map(shlex.quote, options)])
