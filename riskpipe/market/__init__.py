"""Floor 1: snapshot, scenarios, curves and surfaces as nodes over factors, calendars, schedules."""
