"""Floor 4: kinds of clusters, and context managers that yield a Dask client."""
