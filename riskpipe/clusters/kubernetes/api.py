"""The few things that are asked of a Kubernetes API server, through kr8s; answers are plain mappings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from riskpipe.clusters.kubernetes.cluster_options import Json, own_namespace
from riskpipe.clusters.kubernetes.resource import API_VERSION, KIND
from riskpipe.errors import ClusterError

LOG_LINES = 5
MISSING_EXTRA = "cluster kind kubernetes needs the extra `kubernetes`: pip install 'riskpipe[kubernetes]'"


class Kube:
    """A namespace of the cluster that KUBECONFIG or the pod's service account names.

    :param namespace: None: the pod's own, else that of the configuration found.
    :raises ClusterError: kr8s is not installed, or no API server answers.
    """

    def __init__(self, namespace: str | None = None) -> None:
        try:
            import kr8s
        except ImportError as error:
            raise ClusterError(MISSING_EXTRA) from error
        with self.explained("connect"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # kr8s, of versions that it was not tried with
            self._api = kr8s.api()
        self._clusters = kr8s.objects.new_class(KIND, API_VERSION, asyncio=False, namespaced=True)
        self._new_class = kr8s.objects.new_class
        self.namespace: str = namespace or own_namespace() or self._api.namespace

    def version(self) -> str:
        with self.explained("ask for the version"):
            return str(self._api.version()["gitVersion"])

    def create(self, resource: Json) -> None:
        with self.explained(f"create DaskCluster {resource['metadata']['name']}"):
            self._clusters(resource, namespace=self.namespace, api=self._api).create()

    def delete(self, name: str) -> bool:
        """Ask for the deletion of a DaskCluster; False: it was gone already."""
        from kr8s import NotFoundError

        with self.explained(f"delete DaskCluster {name}"):
            cluster = self._clusters(name, namespace=self.namespace, api=self._api)
            try:
                cluster.delete(propagation_policy="Background")
            except NotFoundError:
                return False
        return True

    def cluster(self, name: str) -> Json | None:
        with self.explained(f"read DaskCluster {name}"):
            found = self._api.get(self._clusters, name, namespace=self.namespace, raw=True)
            return next(iter(list(found)), None)

    def clusters(self, selector: str) -> list[Json]:
        with self.explained("list DaskClusters"):
            return list(self._api.get(self._clusters, namespace=self.namespace, label_selector=selector, raw=True))

    def pods(self, selector: str) -> list[Json]:
        with self.explained("list pods"):
            return list(self._api.get(self._v1("Pod"), namespace=self.namespace, label_selector=selector, raw=True))

    def pod(self, name: str, namespace: str) -> Json | None:
        with self.explained(f"read pod {name}"):
            found = self._api.get(self._v1("Pod"), name, namespace=namespace, raw=True)
            return next(iter(list(found)), None)

    def events(self, name: str) -> list[Json]:
        """Of an object, oldest first; nothing when they may not be listed."""
        field = f"involvedObject.name={name}"
        try:
            with self.explained("list events"):
                found = list(self._api.get(self._v1("Event"), namespace=self.namespace, field_selector=field, raw=True))
        except ClusterError:
            return []
        return sorted(found, key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))

    def log_tail(self, pod: str, *, previous: bool) -> list[str]:
        """The last lines of a pod's log, or of its container before the last restart; nothing where there is none."""
        from kr8s.objects import Pod

        try:
            with self.explained("read logs"):
                found = Pod(pod, namespace=self.namespace, api=self._api)
                return list(found.logs(previous=previous, tail_lines=LOG_LINES))
        except ClusterError:
            return []

    def allowed(self, verb: str, group: str, resource: str, subresource: str = "") -> bool:
        """Whether this client may do that in the namespace (SelfSubjectAccessReview)."""
        review = self._new_class("SelfSubjectAccessReview", "authorization.k8s.io/v1", asyncio=False, namespaced=False)
        attributes = {"namespace": self.namespace, "verb": verb, "group": group, "resource": resource}
        if subresource:
            attributes["subresource"] = subresource
        resource_ = {"metadata": {}, "spec": {"resourceAttributes": attributes}}
        with self.explained(f"ask whether {verb} {resource} is allowed"):
            asked = review(resource_, api=self._api)
            asked.create()
            return bool(asked.raw["status"].get("allowed"))

    def served(self, group_version: str) -> list[str]:
        """Plural names of the resources of an API group; empty: the group is not served."""
        with self.explained("list the API's resources"):
            found = self._api.api_resources()
            return [str(entry["name"]) for entry in found if entry["version"] == group_version]

    def _v1(self, kind: str) -> Any:
        return self._new_class(kind, "v1", asyncio=False, namespaced=True)

    @contextmanager
    def explained(self, action: str) -> Iterator[None]:
        """Errors of kr8s and its HTTP client as ClusterErrors that say what to do."""
        import httpx
        from kr8s import APITimeoutError, ConnectionClosedError, ServerError

        try:
            yield
        except ServerError as error:
            raise ClusterError(f"cannot {action}: {_advice(error)}") from error
        except (httpx.HTTPError, APITimeoutError, ConnectionClosedError, OSError, ValueError) as error:
            raise ClusterError(
                f"cannot {action}: no Kubernetes API server answers ({type(error).__name__}: {error});"
                " is KUBECONFIG right, or does the pod have a service account's token?"
            ) from error


def _advice(error: Any) -> str:
    status = getattr(error.response, "status_code", None)
    if status == 404:
        return f"{error}: are the CRDs of the dask-kubernetes operator installed?"
    if status == 403:
        return f"{error}: the driver's Role lacks this right; `riskpipe doctor` lists what is missing"
    return str(error)
