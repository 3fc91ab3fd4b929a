"""Whether driver, scheduler and workers run the same software: pickles and plugins cross between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from riskpipe.errors import ClusterError

if TYPE_CHECKING:
    from distributed import Client

PACKAGES = ("dask", "distributed", "riskpipe")
SAMPLE = 3


def check_versions(client: Client) -> None:
    """:raises ClusterError: naming every difference in python (minor), dask, distributed and riskpipe."""
    faults = version_faults(client.get_versions(check=False, packages=["riskpipe"]))
    if faults:
        raise ClusterError("the cluster runs other software than the driver:\n  " + "\n  ".join(faults))


def version_faults(versions: Mapping[str, Any]) -> list[str]:
    """One line a package that differs.

    :param versions: as `Client.get_versions` returns them: client, scheduler, and workers by address.
    """
    wanted = _of(versions["client"])
    places: dict[str, dict[str, str]] = {"scheduler": _of(versions["scheduler"])}
    places.update({f"worker {address}": _of(worker) for address, worker in versions["workers"].items()})
    faults = []
    for package, version in wanted.items():
        others = {place: found[package] for place, found in places.items() if found[package] != version}
        if others:
            told = ", ".join(f"{found} on {place}" for place, found in list(others.items())[:SAMPLE])
            more = f" and {len(others) - SAMPLE} more" if len(others) > SAMPLE else ""
            faults.append(f"{package}: {version} here, {told}{more}")
    return faults


def _of(place: Mapping[str, Any] | None) -> dict[str, str]:
    if place is None:
        return dict.fromkeys(("python", *PACKAGES), "unknown")
    python = ".".join(str(place["host"]["python"]).split(".")[:2])
    return {"python": python, **{name: str(place["packages"].get(name) or "none") for name in PACKAGES}}
