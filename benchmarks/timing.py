"""What benchmarks share: the shortest of several times, works in turns, a process apart, a stamped table."""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import torch

from analysis.costs import machine
from sweeps.driver.local import KEEP_FREED
from sweeps.training.peak_memory import peak_memory_bytes

OUT = Path("results/benchmarks")
Row = dict[str, Any]
Work = Callable[[], object]


def once(work: Work, device: str = "cpu") -> float:
    """Seconds of one call, until the device has finished."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - start


def best(work: Work, seconds: float, at_least: int = 3, device: str = "cpu") -> float:
    """Shortest time of one call, over repetitions that last `seconds` together. The first does not count."""
    once(work, device)
    times: list[float] = []
    while len(times) < at_least or sum(times) < seconds:
        times.append(once(work, device))
    return min(times)


def in_turns(works: Mapping[Any, Work], rounds: int, device: str = "cpu") -> dict[Any, float]:
    """Shortest time of each work over the rounds, after a round that does not count."""
    for work in works.values():
        once(work, device)
    times = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for key, work in works.items():
            times[key] = min(times[key], once(work, device))
    return times


def memory_of(work: Work, device: str = "cpu") -> int:
    """What doing it twice adds to the memory of this process, or of the GPU, at its peak, bytes."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    else:
        before = psutil.Process().memory_info().rss
    work()
    work()
    return (torch.cuda.max_memory_allocated() if device == "cuda" else peak_memory_bytes()) - before


def in_own_process(
    measure: Callable[..., Any], *args: object, settings: Mapping[str, str] = KEEP_FREED
) -> Any:
    """Call a module's function in a fresh interpreter. Arguments and result must fit into JSON.

    settings: added to the environment, by default the allocator's as a sweep's workers have it.
    """
    spec = sys.modules[measure.__module__].__spec__  # knows the name of a module that runs as __main__
    call = json.dumps([spec and spec.name, measure.__name__, *args])
    command = [sys.executable, "-m", "benchmarks.timing", call]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, env={**os.environ, **settings}
    )
    found = json.loads(done.stdout.splitlines()[-1])
    print(found, flush=True)
    return found


def stamp(rows: list[Row], device: str = "cpu") -> pd.DataFrame:
    """Add machine, versions, date, threads and load to every row."""
    on_gpu = f"{torch.cuda.get_device_name()}, " if device == "cuda" else ""
    about = {
        "machine": f"{on_gpu}{machine.processor_name()}, {psutil.cpu_count()} cores",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": date.today().isoformat(),
        "threads": torch.get_num_threads(),
        "load_average": psutil.getloadavg()[0],
    }
    return pd.DataFrame(rows).assign(**about)


def save(rows: list[Row], name: str, device: str = "cpu") -> None:
    """Put measured rows into the table, in their predecessors' place: a study cut short keeps what it has."""
    OUT.mkdir(parents=True, exist_ok=True)
    path, table = OUT / name, stamp(rows, device)
    if path.exists():
        keys = [key for key in ("shape", "precision", "P", "variant") if key in table]
        table = pd.concat([pd.read_csv(path), table]).drop_duplicates(keys, keep="last").sort_values(keys)
    table.to_csv(path, index=False)


if __name__ == "__main__":
    module, name, *args = json.loads(sys.argv[1])
    print(json.dumps(getattr(importlib.import_module(module), name)(*args)))
