"""Floor 4: context managers that yield a Dask client."""
