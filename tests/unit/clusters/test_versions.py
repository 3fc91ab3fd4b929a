"""Differences of software between driver, scheduler and workers."""

from riskpipe.clusters.versions import version_faults


def place(python="3.12.1.final.0", **packages):
    known = {"dask": "2026.8.0", "distributed": "2026.8.0", "riskpipe": "0.1.0"}
    return {"host": {"python": python}, "packages": {**known, **packages}}


def versions(scheduler=None, **workers):
    return {"client": place(), "scheduler": scheduler or place(), "workers": workers or {"w1": place()}}


def test_the_same_everywhere():
    assert version_faults(versions()) == []


def test_patch_releases_of_python_may_differ():
    assert version_faults(versions(place(python="3.12.9.final.0"))) == []


def test_every_difference_has_its_line():
    faults = version_faults(versions(place(python="3.11.1.final.0", dask="2025.1.0"), w1=place(riskpipe="0.0.9")))
    assert faults == [
        "python: 3.12 here, 3.11 on scheduler",
        "dask: 2026.8.0 here, 2025.1.0 on scheduler",
        "riskpipe: 0.1.0 here, 0.0.9 on worker w1",
    ]


def test_missing_packages_and_silent_workers():
    faults = version_faults(versions(w1=place(riskpipe=None), w2=None))
    assert "riskpipe: 0.1.0 here, none on worker w1, unknown on worker w2" in faults


def test_many_workers_are_sampled():
    (fault,) = version_faults(versions(**{f"w{n}": place(dask="1") for n in range(10)}))
    assert fault.endswith("1 on worker w2 and 7 more")
