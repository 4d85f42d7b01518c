"""How runs are carried out: nothing here is part of a run's identity, and nothing imports torch."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SMALL_WORK = 2e10  # multiply-adds a step: some tenths of a second on a core
LOOK_S = 0.2  # over which the machine's load is read


@dataclass(frozen=True)
class Execution:
    """How a machine carries a run out: devices, threads, snapshots, loggers. It may change on resume."""

    accelerator: str = "auto"  # Lightning's name: auto, cpu, gpu, ...
    threads: int | None = None  # CPU threads. None leaves torch's choice
    checkpoint_minutes: float = 5.0  # between two snapshots of a run
    report_seconds: float = 1.0  # shortest time between two progress reports
    devices: int = 1  # of one run, on each of its nodes
    num_nodes: int = 1  # of one run
    strategy: str = "ddp"  # ddp, fsdp2: how a run on several devices shares them
    gradient_checkpointing: int = (
        0  # keep the input alone of every nth block for the backward pass. 0: of none
    )
    loggers: str = ""  # of Lightning's csv, tensorboard, wandb, separated by commas
    samples: int = 0  # texts that a run writes at each evaluation
    profile: bool = False  # trace a few steps of each run
    until: int | None = None  # stop after this step, paused, with all that it takes to go on

    @property
    def ranks(self) -> int:
        """Processes of one run."""
        return self.devices * self.num_nodes


DEFAULT = Execution()


def cores() -> int:
    """CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> list[str]:
    """The NVIDIA GPUs this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one for one in named.split(",") if one and one != "-1"]
    return [str(i) for i, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


def gpus_of(worker: int, execution: Execution) -> list[str]:
    """The GPUs of one worker's runs: those of the machine in turn, `devices` of them a worker."""
    found = gpus() if execution.accelerator in ("auto", "gpu", "cuda") else []
    first = worker * execution.devices
    return [found[i % len(found)] for i in range(first, first + execution.devices)] if found else []


def on_cpu(execution: Execution) -> bool:
    """Whether runs would train on the CPU of this machine."""
    return execution.accelerator == "cpu" or (execution.accelerator == "auto" and not gpus())


def cxx_compiler() -> str | None:
    """The C++ compiler that torch.compile would call on a CPU."""
    return shutil.which(os.environ.get("CXX", "g++")) or shutil.which("clang++")


def slow_bfloat16(execution: Execution, cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether runs would multiply bfloat16 on an x86 CPU without instructions for it.

    Measured on one with AVX2 alone, torch 2.13: products took 5 to 100 times as long as float32's.
    """
    if not on_cpu(execution):
        return False
    try:
        flags = set(cpuinfo.read_text().partition("flags")[2].partition("\n")[0].split())
    except OSError:
        return False  # not Linux: not known
    return "avx2" in flags and not flags & {"avx512f", "avx_ne_convert"}


def cpu_times(stat: Path = Path("/proc/stat")) -> tuple[float, float]:
    """(idle, all) time of the machine's cores since it was started. Zeros where that is not known."""
    try:
        ticks = [float(part) for part in stat.read_text().split("\n", 1)[0].split()[1:9]]
    except (OSError, ValueError):
        return 0.0, 0.0
    return ticks[3] + ticks[4], sum(ticks)


def free_threads(
    threads: int, work: float, look: Callable[[], tuple[float, float]] = cpu_times, seconds: float = LOOK_S
) -> int:
    """The threads a run of so much work a step begins with: as given, but one of a small run on a busy machine.

    work: multiply-adds of a step. Threads of a small step wait for each other more than they compute: next to other
    processes on two cores one thread made 15,000 tokens/s, two 1,500.
    """
    if threads < 2 or work > SMALL_WORK:
        return threads
    before = look()
    time.sleep(seconds)
    idle, whole = (now - then for now, then in zip(look(), before, strict=True))
    busy = whole > 0 and idle / whole * (os.cpu_count() or 1) < threads - 0.5
    return 1 if busy else threads


def share_out(workers: int | str, runs: int, execution: Execution = DEFAULT) -> tuple[int, int]:
    """(worker processes, threads each): as many workers as cores, and the cores shared among them.

    Small models lose more to thread synchronisation than they gain: one thread a run and as many
    runs at once as there are cores gives the grid's best throughput. With GPUs: as many runs at once
    as have GPUs of their own. More workers, asked for, share them.
    """
    if workers != "auto" and (not str(workers).isdigit() or int(workers) < 1):
        raise ValueError(f"--workers {workers}: give a number of at least 1, or auto")
    on_gpus = len(gpus()) // execution.devices if gpus_of(0, execution) else 0
    count = min((on_gpus or cores()) if workers == "auto" else int(workers), max(1, runs))
    return count, max(1, cores() // count)
