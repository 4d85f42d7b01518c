"""What is asked of Slurm, through its own commands: submit, look, cancel, requeue. No accounting is needed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PATIENCE_S = 30.0  # for the controller to answer
COMMANDS = ("sbatch", "squeue", "scancel", "scontrol")
LATER = ("node configuration is not available",)  # while its nodes are down
LIMITED = ("submit limit", "MaxSubmit")  # fewer jobs at once would be taken


class Refused(OSError):
    """Slurm does not do what it is asked. The text is in its own words."""


@dataclass(frozen=True)
class Element:
    """An element of a job array that is waiting, running or ending."""

    array: str
    index: str
    state: str  # PENDING, RUNNING, COMPLETING, ...

    @property
    def name(self) -> str:
        """As scancel takes it."""
        return f"{self.array}_{self.index}"


def missing_command() -> str:
    """A command of Slurm's that this machine does not have, or nothing."""
    return next((name for name in COMMANDS if shutil.which(name) is None), "")


def ask(*command: str) -> str:
    """What a command prints. Refused where it fails or does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        raise Refused(f"{command[0]} did not answer within {PATIENCE_S:.0f} s") from None
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise Refused(_reason(lines) or f"{command[0]} ended with code {done.returncode}")
    return done.stdout


def _reason(lines: Sequence[str]) -> str:
    """The line that says why, without the program's name before it: the one it ended with, where it says so."""
    marked = [line for mark in ("fatal:", "error:") for line in lines if mark in line]
    words = (marked or [*lines, ""])[0]
    return re.sub(r"^\w+: ((error|fatal): )?(Batch job submission failed: )?", "", words)


def check_options(options: Sequence[str], script: str) -> None:
    """Refused if Slurm would take no job with these options, on any day."""
    try:
        ask("sbatch", "--test-only", *options, script)
    except Refused as error:
        if not any(words in str(error) for words in LATER):
            raise


def submit(options: Sequence[str], script: str, arguments: Sequence[str], count: int) -> tuple[str, int]:
    """Submit an array of `count` elements, fewer where Slurm limits them. Its number and its elements."""
    while True:
        try:
            said = ask("sbatch", "--parsable", f"--array=0-{count - 1}", *options, script, *arguments)
            return said.strip().partition(";")[0], count
        except Refused as error:
            if count == 1 or not any(words in str(error) for words in LIMITED):
                raise
            count //= 2


def queued(name: str) -> list[Element]:
    """The elements of every array of that name that have not ended."""
    lines = ask("squeue", "--noheader", "--array", "--name", name, "--format", "%F %K %T").splitlines()
    return [Element(*line.split()) for line in lines if line.strip()]


def state_of(job: str) -> str:
    """RUNNING, COMPLETING, ...: the state of one job. Empty where Slurm does not know it any more."""
    try:
        return (ask("squeue", "--noheader", "--job", job, "--format", "%T").split() or [""])[0]
    except Refused:
        return ""


def cancel(elements: Iterable[Element]) -> None:
    """End elements, or drop them from the queue."""
    if names := [element.name for element in elements]:
        ask("scancel", *names)


def requeue(job: str) -> None:
    """End a job and put it back into the queue."""
    ask("scontrol", "requeue", job)


def partitions() -> list[str]:
    """The names of the partitions there are."""
    return re.findall(r"^PartitionName=(\S+)", ask("scontrol", "show", "partition"), re.MULTILINE)


def array_size() -> int:
    """The most elements of one array."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", ask("scontrol", "show", "config"), re.MULTILINE)
    return max(1, int(found[1])) if found else 1
