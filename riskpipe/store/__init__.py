"""Floor 0: Parquet, run layout, ledger, lease, atomic publish."""
