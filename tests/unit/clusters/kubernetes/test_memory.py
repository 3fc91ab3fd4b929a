import pytest

from riskpipe.clusters.kubernetes.memory import DEFAULT_BYTES, NANNY_BYTES, quantity, worker_memory
from riskpipe.errors import UsageError

GI = 2**30


@pytest.mark.parametrize(
    ("text", "expected"), [("4Gi", 4 * GI), ("500M", 500 * 10**6), (1024, 1024), ("1.5Gi", 3 * GI // 2), ("2k", 2000)]
)
def test_quantities(text, expected):
    assert quantity(text) == expected


@pytest.mark.parametrize("text", ["4GiB", "-1", "many", "", None, "100m"])
def test_no_quantities(text):
    with pytest.raises(UsageError, match="4Gi is wanted"):
        quantity(text)


@pytest.mark.parametrize(
    ("limit", "pod_limit", "processes", "expected"),
    [
        (None, None, 1, (DEFAULT_BYTES, DEFAULT_BYTES + NANNY_BYTES)),
        (GI, None, 8, (GI, 8 * GI + NANNY_BYTES)),
        (None, "9Gi", 4, ((9 * GI - NANNY_BYTES) // 4, 9 * GI)),
        (2 * GI, "9Gi", 4, (2 * GI, 9 * GI)),
    ],
)
def test_one_follows_from_the_other(limit, pod_limit, processes, expected):
    assert worker_memory(limit, pod_limit, processes) == expected


def test_a_pod_that_cannot_hold_its_processes():
    with pytest.raises(UsageError, match=r"4Gi does not hold 4 processes of 2048 MiB: raise it, or lower"):
        worker_memory(2 * GI, "4Gi", 4)
    with pytest.raises(UsageError, match="less than a worker needs"):
        worker_memory(None, "128Mi", 1)
