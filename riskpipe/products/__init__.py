"""Floor 2: one file a product."""
