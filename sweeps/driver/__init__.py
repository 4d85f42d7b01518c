"""Running a sweep: planning, workers, launchers, progress."""
