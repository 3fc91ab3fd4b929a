"""Kinds of clusters, and context managers that yield a Dask client."""
