"""The events by which workers and scheduler tell the driver what dask's own messages do not."""

from __future__ import annotations


def replies(name: str) -> str:
    """Topic of the results of an executor's tasks."""
    return f"{name}/replies"


def verdicts(name: str) -> str:
    """Topic of why a worker is ended, told before it is."""
    return f"{name}/verdicts"
