"""What an element of a Slurm array runs: `python -m sweeps.driver.clusters.slurm_element FOLDER SESSION`.

It trains run after run until nothing is left to take. Asked to stop (its time limit is near, or it is
pre-empted or cancelled), it has the run write its state. Then it asks Slurm to requeue it, unless Slurm
is already ending it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sweeps.driver.clusters import slurm_queue
from sweeps.driver.clusters.node import run_node, stop_file
from sweeps.driver.clusters.node_mailbox import VARIABLE, NodeMailbox
from sweeps.driver.ranks import serve_node
from sweeps.driver.worker import EXIT_FATAL, Job
from sweeps.store.store import Store

HELPERS_S = 30.0  # for the further nodes to end


def slurm_folder(folder: Path) -> Path:
    """Where a sweep keeps what concerns Slurm: scripts, jobs, logs."""
    return folder / "checkpoints" / "slurm"


def fatal_file(folder: Path, session: str) -> Path:
    """Says why no element of this session can go on."""
    return slurm_folder(folder) / f"{session}.fatal"


def main(argv: list[str]) -> int:
    """An element, or with a mailbox in place of the session one of its further nodes."""
    folder, session = Path(argv[0]), argv[1]
    if session.startswith("mailbox="):
        serve_node(NodeMailbox(Path(session.removeprefix("mailbox="))), int(os.environ["SLURM_PROCID"]) + 1)
        return 0
    asked: list[int] = []
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, lambda received, _: asked.append(received))
    text = (slurm_folder(folder) / f"{session}.json").read_text(encoding="utf-8")
    fatal = _serve(Job.from_json(text), text, lambda: bool(asked))
    if fatal:
        print(fatal, file=sys.stderr)
        fatal_file(folder, session).write_text(fatal, encoding="utf-8")
        return EXIT_FATAL
    Store(folder).gather(curves=True)
    element = os.environ["SLURM_JOB_ID"]
    again = asked and not stop_file(Job.from_json(text)).exists()
    if again and slurm_queue.state_of(element) == "RUNNING":
        print("the run's state is written: back into the queue", file=sys.stderr)
        try:
            slurm_queue.requeue(element)
        except slurm_queue.Refused as error:  # or Slurm ends scontrol with the element that it requeues
            print(error, file=sys.stderr)
    return 0


def _serve(job: Job, text: str, stop: Callable[[], bool]) -> str:
    """Work on the job, with the element's further nodes if it has any. Why none can go on, or nothing."""
    if job.execution.num_nodes == 1:
        return run_node(text, stop)
    attempt = f"{os.environ['SLURM_JOB_ID']}-{os.environ.get('SLURM_RESTART_COUNT', 0)}"
    mailbox = NodeMailbox(slurm_folder(Path(job.folder)) / attempt)
    os.environ[VARIABLE] = str(mailbox.folder)
    further = str(job.execution.num_nodes - 1)
    step = ("srun", "--nodes", further, "--ntasks", further, "--relative=1", "--kill-on-bad-exit=0")
    program = (sys.executable, "-m", "sweeps.driver.clusters.slurm_element")
    with subprocess.Popen([*step, *program, job.folder, f"mailbox={mailbox.folder}"]) as helpers:
        try:
            return run_node(text, lambda: stop() or helpers.poll() is not None)
        finally:
            mailbox.close()
            deadline = time.monotonic() + HELPERS_S
            while helpers.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            helpers.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
