"""Floor 5: check, plan, run, retry, publish, report: the only place where floors 3 and 4 meet."""
