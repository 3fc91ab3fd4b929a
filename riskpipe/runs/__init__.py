"""A run that is worked on: opened, its blocks handed out, its outputs merged, accounted for and published."""
