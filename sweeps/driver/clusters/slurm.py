"""Workers as a Slurm job array: elements that leave when nothing is left for them, and that come back.

The arrays of a sweep share one name, kept in its folder: whoever starts the same sweep again finds the
elements that are there, and submits only what lacks.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import sweeps
from sweeps.config.execution import DEFAULT, Execution, share_out
from sweeps.driver.clusters import slurm_queue
from sweeps.driver.clusters.node import stop_file
from sweeps.driver.clusters.slurm_element import fatal_file, slurm_folder
from sweeps.driver.clusters.vacancies import Vacancies
from sweeps.driver.worker import Job
from sweeps.store.locks import Lock, Locks

QUERY_S = 5.0  # between two looks at the queue
STOP_S = 180.0  # patience for the elements to write their state once asked to stop
WARNING_S = 120  # at most so long before its time limit an element is asked to stop
CODE = Path(sweeps.__file__).parents[1]


@dataclass
class SlurmLauncher:
    """Job arrays whose elements each train one run at a time. Fields not given are the cluster's own."""

    partition: str | None = None
    minutes: int = 24 * 60  # time limit of an element. It is requeued there
    gpus: int = 0  # a run, on each of its nodes
    cpus: int = 1  # a run, on each of its nodes
    account: str | None = None
    qos: str | None = None
    mem: str | None = None  # a run, on each of its nodes, as sbatch reads it: 16G
    constraint: str | None = None
    exclude: str | None = None
    gres: str | None = None
    sbatch: str = ""  # further options of sbatch
    setup: str = ""  # shell commands that an element runs first

    def share(self, workers: int | str, runs: int, execution: Execution = DEFAULT) -> tuple[int, int]:
        """(array elements at a time, threads each): auto is one an unfinished run."""
        share_out(workers, runs)
        if missing := slurm_queue.missing_command():
            raise ValueError(
                f"{missing} is not on this machine's PATH: start the sweep on a Slurm login node"
            )
        with tempfile.NamedTemporaryFile("w", suffix=".sh") as script:
            script.write("#!/bin/sh\n")
            script.flush()
            try:
                slurm_queue.check_options(self.options(execution), script.name)
            except slurm_queue.Refused as error:
                raise ValueError(self._refusal(error)) from None
        return (runs if workers == "auto" else min(int(workers), runs)), self.cpus

    def options(self, execution: Execution) -> list[str]:
        """The options of sbatch for an element."""
        warning = min(WARNING_S, self.minutes * 60 // 4)
        named = {
            "partition": self.partition,
            "account": self.account,
            "qos": self.qos,
            "mem": self.mem,
            "constraint": self.constraint,
            "exclude": self.exclude,
            "gres": self.gres,
            "gpus-per-node": self.gpus or None,
            "cpus-per-task": self.cpus,
            "nodes": execution.num_nodes,
            "ntasks-per-node": 1,
            "time": self.minutes,
            "signal": f"B:USR2@{warning}",
            "open-mode": "append",  # of the log: a requeued element's goes on
        }
        told = [f"--{name}={value}" for name, value in named.items() if value is not None]
        return [*told, "--requeue", *shlex.split(self.sbatch)]

    def _refusal(self, error: slurm_queue.Refused) -> str:
        """Slurm's words, and what to do."""
        if "configuration source" in str(error):
            return f"this machine is in no Slurm cluster ({error}): start the sweep on a login node of one"
        if self.partition and "invalid partition" in str(error).lower():
            with contextlib.suppress(slurm_queue.Refused):
                there = ", ".join(slurm_queue.partitions())
                if self.partition not in there.split(", "):
                    return f"--partition {self.partition}: Slurm has no such partition. It has {there}"
        names = ("partition", "account", "qos", "mem", "constraint", "exclude", "gres", "gpus", "sbatch")
        given = [f"--{name} {value}" for name in names if (value := getattr(self, name))]
        if "invalid account" in str(error).lower() and not self.account:
            given = ["--account", *given]
        return f"Slurm refuses the jobs: {error}. Look at {', '.join(given) or '--time and --cpus'}"

    def start(self, job: Job, workers: int) -> None:
        """Submit what is missing in addition to the elements that an earlier call has left."""
        self.job, self.workers, self.folder = replace(job, leave=True), workers, Path(job.folder)
        self.vacancies, self.next_look = Vacancies(job), 0.0
        slurm_folder(self.folder).mkdir(parents=True, exist_ok=True)
        self.name = _name(self.folder)
        self.script = self._script()
        text = slurm_folder(self.folder) / f"{job.session}.json"
        text.write_text(self.job.to_json(), encoding="utf-8")
        self.locks = Locks(self.folder / "locks")
        self.alive: Lock | None = self.locks.take(f"driver-{job.session}")
        self.elements = slurm_queue.queued(self.name)
        try:
            self.vacancies.fill(len(self.elements), workers, self._submit)
        except slurm_queue.Refused as error:
            raise OSError(self._refusal(error)) from None

    def _script(self) -> Path:
        """The script of an element."""
        program = shlex.join([sys.executable, "-m", "sweeps.driver.clusters.slurm_element"])
        lines = ["#!/bin/bash", f'export PYTHONPATH={shlex.quote(str(CODE))}"${{PYTHONPATH:+:$PYTHONPATH}}"']
        path = slurm_folder(self.folder) / f"{self.job.session}.sh"
        path.write_text("\n".join([*lines, self.setup, f'exec {program} "$@"', ""]), encoding="utf-8")
        return path

    def _submit(self, missing: int) -> None:
        """Submit so many elements, in arrays of as many as Slurm allows. Fewer where it takes no more now."""
        log = slurm_folder(self.folder) / "%A_%a.log"
        told = [f"--job-name={self.name}", f"--output={log}", f"--chdir={self.job.cwd or os.getcwd()}"]
        options = [*told, *self.options(self.job.execution)]
        arguments, most = [str(self.folder), self.job.session], slurm_queue.array_size()
        while missing:
            wanted = min(missing, most)
            array, count = slurm_queue.submit(options, str(self.script), arguments, wanted)
            (slurm_folder(self.folder) / f"{array}.session").write_text(self.job.session)
            self.elements += [slurm_queue.Element(array, str(i), "PENDING") for i in range(count)]
            missing = missing - count if count == wanted else 0

    def poll(self) -> bool:
        """Look at the queue now and then, and submit what lacks. False once every run has ended."""
        if time.monotonic() < self.next_look:
            return True
        self.next_look = time.monotonic() + QUERY_S
        with contextlib.suppress(FileNotFoundError):
            raise OSError(fatal_file(self.folder, self.job.session).read_text(encoding="utf-8"))
        try:
            self.elements = slurm_queue.queued(self.name)
            return self.vacancies.fill(len(self.elements), self.workers, self._submit)
        except slurm_queue.Refused:
            return True  # the controller is away, or takes no more: later
        except OSError as error:
            raise OSError(f"{error}. See the logs in {slurm_folder(self.folder)}") from None

    def detach(self) -> str:
        """Leave the elements to themselves. Says which they are."""
        self._let_go()
        arrays = sorted({element.array for element in self.elements}, key=int)
        return f"elements of Slurm's arrays {', '.join(arrays)}" if arrays else "the workers that were there"

    def stop(self) -> None:
        """Tell every element to write its state and end. Cancel what does not, and what has not begun.

        Elements of another driver that lives are left alone, those of a dead one are not.
        """
        if not hasattr(self, "elements"):
            return
        self._let_go()
        found = list(self._to_stop())
        left = [element for element in found if element.state != "PENDING"]
        with contextlib.suppress(slurm_queue.Refused):
            slurm_queue.cancel(element for element in found if element not in left)
        deadline = time.monotonic() + STOP_S
        while left and time.monotonic() < deadline:
            time.sleep(1.0)
            with contextlib.suppress(slurm_queue.Refused):
                names = {element.name for element in left}
                going = [element for element in slurm_queue.queued(self.name) if element.name in names]
                left = [element for element in going if element.state != "COMPLETING"]
        with contextlib.suppress(slurm_queue.Refused):
            slurm_queue.cancel(left)

    def _to_stop(self) -> Iterator[slurm_queue.Element]:
        """The elements that this driver answers for, each asked to stop."""
        with contextlib.suppress(slurm_queue.Refused):
            self.elements = slurm_queue.queued(self.name)
        for element in self.elements:
            session = ""
            with contextlib.suppress(OSError):
                session = (slurm_folder(self.folder) / f"{element.array}.session").read_text()
            if session == self.job.session or self.locks.owner(f"driver-{session}") is None:
                with contextlib.suppress(OSError):  # on a full disk: they are cancelled below
                    stop_file(replace(self.job, session=session)).touch()
                yield element

    def _let_go(self) -> None:
        """Answer for the elements no more."""
        if self.alive:
            self.alive.release()
            with contextlib.suppress(OSError):
                self.alive.path.parent.rmdir()
        self.alive = None


def _name(folder: Path) -> str:
    """What the arrays of a sweep are called, made once: one name wherever its folder is seen from."""
    path = slurm_folder(folder) / "name"
    with contextlib.suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
        file.write(f"{folder.name[:40]}-{uuid.uuid4().hex[:8]}")
    return path.read_text(encoding="utf-8")
