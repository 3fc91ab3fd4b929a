"""The snapshot, scenarios over it, curves and surfaces as nodes over factors, calendars, schedules."""
