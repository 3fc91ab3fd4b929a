"""The chart as a release, and the Jobs that tests start from it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kube import Json, Namespace, until

DESK = "desk"
RELEASE, NAME = "risk", "risk-riskpipe"
TRADES = 2000
MEASURES = ["pv", "delta", "gamma", "vega", "dv01", "cs01", "theta", "bucketed_delta", "stress", "historical_var"]


@dataclass
class Release:
    """The chart, installed as `risk` in a namespace."""

    space: Namespace
    chart: Path
    values: dict[str, Any]

    def install(self, changes: Mapping[str, Any] | None = None) -> None:
        """Install or upgrade, with changes laid over the suite's own values."""
        self.space.helm("upgrade", "--install", RELEASE, str(self.chart), values=laid_over(self.values, changes or {}))

    def uninstall(self) -> None:
        self.space.helm("uninstall", RELEASE)

    def configure(self, sample: Json) -> None:
        """Lay the suite's configuration over that of the sample book, and upgrade."""
        inputs = {
            name: f"/data/book/{value}"
            for name, value in sample["inputs"].items()
            if isinstance(value, str) and value.startswith("data/")
        }
        below = {
            **sample,
            "inputs": {**sample["inputs"], **inputs},
            "output": "/data/output",
            "cluster": {"kind": "kubernetes"},
        }
        below.pop("as_of")
        self.values["config"] = laid_over(below, self.values["config"])
        self.install()

    # -- Jobs

    def nightly(self, name: str, *arguments: str, output: str, backoff: int | None = None) -> str:
        """A Job from the CronJob, with an output of its own; its name."""
        template = copy.deepcopy(self.space.one("cronjob", NAME)["spec"]["jobTemplate"])
        (container,) = template["spec"]["template"]["spec"]["containers"]
        container["args"] += ["--set", f"output={output}", *arguments]
        if backoff is not None:
            template["spec"]["backoffLimit"] = backoff
        metadata = {"name": name, "labels": template["metadata"].get("labels", {})}
        self.space.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template["spec"]})
        return name

    def rerun(self, *arguments: str) -> str:
        """A Job from the chart's template for reruns, as docs/kubernetes.md makes it; its name."""
        values = laid_over(self.values, {"rerun": {"enabled": True, "args": list(arguments)}})
        version = self.space.kubectl("version", "-o", "yaml")
        served = yaml.safe_load(version)["serverVersion"]["gitVersion"]
        command = ("template", RELEASE, str(self.chart), "--kube-version", served)
        text = self.space.helm(*command, "--show-only", "templates/rerun.yaml", values=values)
        (job,) = self.space.create(yaml.safe_load(text))
        return str(job["metadata"]["name"])

    # -- what a run has left

    def blocks_done(self, output: str) -> int:
        """Files of results of the output's runs."""
        return int(
            self.space.shell(DESK, f"find {output}/runs -path '*/blocks/valuations/*.parquet' 2>/dev/null | wc -l")
        )

    def in_the_middle(self, output: str, job: str) -> None:
        """Wait until a run has results of some blocks; it must not have ended."""

        def look() -> bool:
            assert self.space.ended(job) is None, f"the run was over too early:\n{self.space.told(job)}"
            return self.blocks_done(output) >= 5

        until(look, "the first results of blocks")

    def summary(self, output: str) -> Json:
        """summary.json of the output's newest run."""
        script = f'cat "$(ls -d {output}/runs/* | tail -n 1)/summary.json"'
        return yaml.safe_load(self.space.shell(DESK, script))

    def published(self, output: str, into: Path) -> Path:
        self.space.fetch(DESK, f"{output}/published", into / "published")
        return into


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        inner = result.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        result[key] = laid_over(inner, value) if both else value
    return result
