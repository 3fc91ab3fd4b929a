"""Results of runs that have ended: found, streamed in order, compared, timed."""
