"""Files: Parquet, the layout of a run, ledger, lease, publication; on this machine or in an object store."""
