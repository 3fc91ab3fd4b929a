"""A DaskCluster of its own for each run, on Kubernetes.

options --> pods --> resource --> api --> readiness --> client        reaper: what other drivers left behind
"""
