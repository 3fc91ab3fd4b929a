"""A local cluster for the session, and the functions that tests run on it."""

import pytest

from riskpipe.clusters.local import local


@pytest.fixture(scope="session")
def client():
    with local(2, memory_limit="600MiB") as client:
        yield client


@pytest.fixture(scope="session")
def functions():
    """By name. Nested, so that they travel to workers by value: workers cannot import test modules."""

    def value(task):
        verb, *arguments = task.payload if isinstance(task.payload, tuple) else ("double", task.payload)
        if verb == "raise":
            raise arguments[0]
        if verb == "lambda":
            return lambda: None
        return 2 * arguments[0]

    def merge(task):
        return sum(task.payload)

    return {"value": value, "merge": merge}
