"""Files: Parquet, a run's folder, ledger, lease, publication; on this machine or in an object store."""
