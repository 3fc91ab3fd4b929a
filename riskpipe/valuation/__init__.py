"""What a worker does: values a block, and combines what blocks leave."""
