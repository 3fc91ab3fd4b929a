"""Blocks, plans, partitioning, models of cost and memory, the state of a run; no Dask here."""
