"""Floor 4: what a worker does with one block."""
