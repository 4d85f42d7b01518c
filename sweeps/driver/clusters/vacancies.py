"""How many more workers a sweep has work for: a cluster's launcher starts so many, and no more.

Workers of a cluster leave when nothing is left to take. So whoever started them looks whether a run has
become free since: its worker may have died, or the stage before it has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sweeps.driver.worker import Job
from sweeps.store.checksums import Damaged
from sweeps.store.status import Observer
from sweeps.store.store import Store

BUSY = ("running", "interrupted", "pending")  # a run's stage 1 in one of these is still to come
IN_VAIN = 20  # times that workers were started without progress, after which the sweep is given up


class Vacancies:
    """Reads it from the sweep's folder."""

    def __init__(self, job: Job) -> None:
        store = Store(Path(job.folder))
        self.observer = Observer(store.folder, job.session, until=job.until)
        self.configs = {run_id: store.config(run_id) for run_id in job.run_ids}
        self.progress, self.in_vain = -1.0, 0

    def fill(self, going: int, workers: int, start: Callable[[int], None]) -> bool:
        """Start workers for runs that no `going` one will take, at most `workers` in all.

        False once every run has ended. OSError where workers end again and again without progress.
        """
        try:
            runs = self.observer.look(self.configs)
        except Damaged:
            return True  # it is set aside by whoever watches the sweep, and then seen again
        if (progress := sum(run.share for run in runs)) > self.progress:
            self.progress, self.in_vain = progress, 0
        state = {run.run_id: run.state for run in runs}
        left = [run for run in runs if run.state in BUSY]
        held = sum(run.state == "running" for run in left)
        free = sum(run.state != "running" and state.get(run.config.parent) not in BUSY for run in left)
        missing = min(workers - going, free - max(0, going - held))
        if missing > 0:
            if self.in_vain == IN_VAIN:
                raise OSError(f"workers ended {IN_VAIN} times without progress")
            start(missing)
            self.in_vain += 1
        return bool(left)
