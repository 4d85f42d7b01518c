"""Workers as processes of this machine."""

from __future__ import annotations

from pathlib import Path

from sweeps.config.execution import DEFAULT, Execution, gpus_of, share_out
from sweeps.driver.process_pool import Child, ProcessPool
from sweeps.driver.worker import EXIT_FATAL, Job

RESTARTS = 20  # of dead workers in one call. A run that kills its worker is given up long before
# glibc hands large blocks back to the kernel when they are freed, and takes them again, zeroed, a moment
# later: a sixth of a training step of a small model. Other C libraries do not read these.
KEEP_FREED = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
STOP_S = 120.0  # patience for a worker to write its state


class LocalLauncher:
    """Keeps a number of worker processes going."""

    def __init__(self) -> None:
        self.pool: ProcessPool | None = None
        self.restarts = 0

    def share(self, workers: int | str, runs: int, execution: Execution = DEFAULT) -> tuple[int, int]:
        """(worker processes, threads each) of this machine."""
        return share_out(workers, runs, execution)

    def start(self, job: Job, workers: int) -> None:
        """Start the workers, each with its share of the cores."""
        settings = {"TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1", **KEEP_FREED}
        if threads := str(job.execution.threads or job.threads or ""):
            settings |= {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        self.job = job
        self.log = Path(job.folder) / "checkpoints" / "workers.log"
        cwd = Path(job.cwd)
        module = job.trainer.partition(":")[0]
        self.pool = ProcessPool(module, settings, self.log, cwd if cwd.is_dir() else None)
        self.going = {place: self._spawn(self.pool, place) for place in range(workers)}

    def _spawn(self, pool: ProcessPool, place: int) -> Child:
        """The worker of a place: it sees the GPUs of that place alone."""
        own = gpus_of(place, self.job.execution)
        visible = {"CUDA_VISIBLE_DEVICES": ",".join(own)} if own else {}
        return pool.start("sweeps.driver.worker:run_worker", self.job.to_json(), **visible)

    def poll(self) -> bool:
        """Replace workers that died. False once all have ended."""
        assert self.pool is not None
        self.pool.look()
        ended = {place: worker for place, worker in self.going.items() if worker.code is not None}
        for place, worker in ended.items():
            del self.going[place]
            if worker.code == EXIT_FATAL:
                raise OSError(worker.received[-1]["fatal"])
            if worker.code != 0:
                self.restarts += 1
                if self.restarts > RESTARTS:
                    often = f"{self.restarts} times, the last with code {worker.code}"
                    raise OSError(f"workers died {often}. See {self.log}")
                self.going[place] = self._spawn(self.pool, place)
        return bool(self.going)

    def stop(self) -> None:
        """Ask every worker to write its state. A second Ctrl-C, or long silence, ends them at once."""
        if self.pool:
            self.pool.end(STOP_S)
        self.pool = None
