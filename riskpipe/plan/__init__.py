"""Floor 3: blocks, plans, partitioning, cost and memory models; no Dask here."""
