"""Whether this riskpipe may resume a run: another version may make other numbers of the same inputs."""

from __future__ import annotations

from collections.abc import Iterable

from riskpipe import __version__
from riskpipe.errors import UsageError
from riskpipe.measures.catalogue import family_of
from riskpipe.plan.stored_plan import PlanHeader
from riskpipe.products.catalogue import catalogue


def engine_differences(header: PlanHeader) -> list[str]:
    """What of the code that makes numbers is not what the run was planned with; none: the same bits come out."""
    found = []
    if header.engine_version != __version__:
        found.append(f"riskpipe {header.engine_version}, here {__version__}")
    products = catalogue()
    for name, version in sorted(header.product_versions.items()):
        here = products[name].version if name in products else None
        if here != version:
            found.append(f"product {name} version {version}, here {'none' if here is None else here}")
    for name, version in sorted(header.measure_versions.items()):
        there = family_of(name)
        if there is None or there.version != version:
            found.append(f"measure {name} version {version}, here {'none' if there is None else there.version}")
    return found


def engines_of(engines: Iterable[str]) -> str:
    """What footers say of the versions that made a publication: those that did blocks, and this one."""
    return ", ".join(sorted({*engines, __version__}))


def refuse_other_engine(header: PlanHeader, run_id: str, accept: bool) -> None:
    """:raises UsageError: another version planned the run, unless that is accepted."""
    found = engine_differences(header)
    if found and not accept:
        raise UsageError(
            f"run {run_id} was planned by {'; '.join(found)}: its numbers would be of both. Start a new run "
            "(`riskpipe run --resume never`), or say --accept-engine; footers then name every version"
        )
