"""A run that is worked on: opened, its blocks handed out, their outputs combined, accounted for and published."""
