"""Floor 2: one file a family of measures: the scenarios it needs and its reduction."""
