"""Who hands a file on to whom: nobody waits for himself, nobody serves more than he should, whatever nodes do."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from selections import examples

from riskpipe.execute.copy_sources import FAN_OUT, CopySources

NODES = st.integers(0, 11)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), NODES),
        st.tuples(st.just("again"), NODES),
        st.tuples(st.just("has it"), NODES),
        st.tuples(st.just("fails"), NODES),
        st.tuples(st.just("dies"), NODES),
    ),
    max_size=60,
)


class Cluster:
    """What nodes do, and whom each of them waits for."""

    def __init__(self) -> None:
        self.scheduler = SimpleNamespace(workers={str(node): None for node in range(12)})
        self.sources = CopySources(self.scheduler)
        self.waits_for: dict[str, str | None] = {}
        self.complete: set[str] = set()
        self.lost: dict[str, list[str]] = {}

    def ask(self, node: str) -> str | None:
        found = self.sources.source("file", node, self.lost.get(node, []))
        assert found is None or found in self.scheduler.workers
        self.waits_for[node] = found
        return found

    def step(self, verb: str, node: str) -> None:
        if node in self.complete or node not in self.scheduler.workers:
            return
        if verb == "ask" and node not in self.waits_for:
            self.ask(node)
        elif verb == "again" and (source := self.waits_for.get(node)) is not None:
            self.lost.setdefault(node, []).append(source)
            assert self.ask(node) not in self.lost[node]
        elif verb in ("has it", "fails") and node in self.waits_for:
            del self.waits_for[node]
            self.complete |= {node} if verb == "has it" else set()
            self.sources.ended("file", node, complete=verb == "has it")
        elif verb == "dies":
            del self.scheduler.workers[node]
            self.waits_for.pop(node, None)


@examples(400)
@given(STEPS)
def test_nobody_waits_in_a_circle_and_nobody_serves_too_many(steps: list[tuple[str, int]]) -> None:
    cluster = Cluster()
    for verb, node in steps:
        cluster.step(verb, str(node))
        served = [source for source in cluster.waits_for.values() if source is not None]
        assert all(served.count(source) <= FAN_OUT for source in served)
        for start in cluster.waits_for:
            node_, passed = start, set()
            while (source := cluster.waits_for.get(node_)) is not None:
                assert source not in passed
                passed.add(source)
                node_ = source


def test_the_first_comes_from_the_store_and_the_others_form_a_tree() -> None:
    cluster = Cluster()
    assert [cluster.ask(str(node)) for node in range(7)] == [None, "0", "0", "1", "1", "2", "2"]


def test_one_that_has_the_file_serves_again_and_again() -> None:
    cluster = Cluster()
    cluster.ask("0")
    cluster.step("has it", "0")
    for node in range(1, 12):
        assert cluster.ask(str(node)) == "0"
        cluster.sources.ended("file", str(node), complete=False)


def test_files_have_nothing_to_do_with_each_other() -> None:
    cluster = Cluster()
    cluster.ask("0")
    assert cluster.sources.source("another", "1") is None
