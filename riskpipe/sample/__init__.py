"""Floor 5: seeded sample books, markets and histories for `riskpipe init`."""
