"""Workers as a Slurm job array, submitted with submitit; pre-empted or timed-out ones are requeued."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.config.execution import DEFAULT, Execution
from sweeps.driver.node import Node, stop_file
from sweeps.driver.node_mailbox import VARIABLE, NodeMailbox
from sweeps.driver.ranks import serve_node
from sweeps.driver.worker import Job

RESUBMISSIONS = 20  # of ended tasks in one call
STOP_S = 180.0  # patience for the tasks to write their state once told to stop
WARNING_S = 120  # Slurm's signal comes so long before it ends a job
REQUEUES = 1000  # a run of weeks crosses many time limits; each leaves its state


class SlurmTask:
    """What an element of the array runs; at Slurm's signal it writes its state and asks to be requeued."""

    def __init__(self) -> None:
        self.node = Node()

    def __call__(self, text: str) -> str:
        """Work on the job until nothing is left; on a run's further nodes, help the first one."""
        job = Job.from_json(text)
        if job.execution.num_nodes == 1:
            return self.node.serve(text)
        element = f"{os.environ['SLURM_JOB_ID']}-{os.environ.get('SLURM_RESTART_COUNT', 0)}"
        mailbox = NodeMailbox(Path(job.folder) / "checkpoints" / "slurm" / element)
        if int(os.environ["SLURM_NODEID"]):
            serve_node(mailbox, int(os.environ["SLURM_NODEID"]))
            return ""
        os.environ[VARIABLE] = str(mailbox.folder)
        try:
            return self.node.serve(text)
        finally:
            mailbox.close()

    def checkpoint(self, text: str) -> Any:
        """Called by submitit in the signal's handler, while `__call__` waits below it on the stack."""
        from submitit.helpers import DelayedSubmission

        self.node.launcher.stop()
        return DelayedSubmission(SlurmTask(), text)


@dataclass
class SlurmLauncher:
    """A job array on a partition: each element trains one run at a time."""

    partition: str | None = None
    minutes: int = 24 * 60  # time limit of an element; it is requeued there
    gpus: int = 0  # a run
    cpus: int = 1  # a run
    cluster: str = "slurm"  # local: submitit's executor on this machine

    def share(self, workers: int | str, runs: int, execution: Execution = DEFAULT) -> tuple[int, int]:
        """(array elements at a time, threads each): auto is one an unfinished run."""
        if importlib.util.find_spec("submitit") is None:
            raise ValueError("submitit is not installed: pip install 'parscale[cluster]'")
        if self.cluster == "slurm" and not (shutil.which("sbatch") and shutil.which("srun")):
            raise ValueError("sbatch is not on this machine's PATH: start the sweep on a Slurm login node")
        return (runs if workers == "auto" else min(int(workers), runs)), self.cpus

    def start(self, job: Job, workers: int) -> None:
        """Submit the array."""
        self.job, self.resubmitted, self.told = job, 0, stop_file(job)
        self.jobs: list[Any] = []
        self.executor = self._executor(workers)
        self._submit(workers)

    def _executor(self, workers: int) -> Any:
        import submitit

        folder = Path(self.job.folder) / "checkpoints" / "slurm"
        executor = submitit.AutoExecutor(folder, cluster=self.cluster, slurm_max_num_timeout=REQUEUES)
        executor.update_parameters(
            name="parscale",
            timeout_min=self.minutes,
            cpus_per_task=self.cpus,
            nodes=self.job.execution.num_nodes,
            tasks_per_node=1,
        )
        if self.gpus:
            executor.update_parameters(gpus_per_node=self.gpus)
        if self.cluster == "slurm":
            executor.update_parameters(
                slurm_array_parallelism=workers,
                slurm_signal_delay_s=WARNING_S,
                slurm_additional_parameters={"requeue": True},
                **({"slurm_partition": self.partition} if self.partition else {}),
            )
        return executor

    def _submit(self, count: int) -> None:
        from submitit.core.utils import FailedJobError

        try:
            self.jobs += self.executor.map_array(SlurmTask(), [self.job.to_json()] * count)
        except FailedJobError as error:
            lines = [line.strip() for line in f"{error}\n{error.__cause__ or ''}".splitlines()]
            said = next((line for line in lines if "error:" in line), lines[0])
            raise OSError(f"Slurm refused the jobs: {said}; look at --partition, --time and --gpus") from None

    def poll(self) -> bool:
        """Resubmit what ended abnormally; False once every element has nothing left to do."""
        going, ended = [], 0
        for job in self.jobs:
            if not job.done():
                going.append(job)
            elif (error := job.exception()) is not None:
                ended += 1
                last = (str(error).strip().splitlines() or ["no reason given"])[-1]
            elif fatal := next(filter(None, job.results()), ""):  # one a node
                raise OSError(fatal)
        self.jobs = going
        if ended:
            self.resubmitted += ended
            if self.resubmitted > RESUBMISSIONS:
                logs = Path(self.job.folder) / "checkpoints" / "slurm"
                raise OSError(f"{self.resubmitted} Slurm jobs ended early, the last: {last}; see {logs}")
            self._submit(ended)
        return bool(self.jobs)

    def stop(self) -> None:
        """Tell every element to write its state and end; cancel what does not, and what has not begun."""
        if not getattr(self, "jobs", None):
            return
        self.told.touch()
        deadline = time.monotonic() + STOP_S
        try:
            while any(job.state == "RUNNING" and not job.done() for job in self.jobs):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.5)
        finally:
            for job in self.jobs:
                if not job.done():
                    job.cancel()
            self.jobs = []
