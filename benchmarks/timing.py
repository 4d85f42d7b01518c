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

from analysis import machine
from sweeps.local import KEEP_FREED

OUT = Path("results/benchmarks")
Row = dict[str, Any]
Work = Callable[[], object]


def best(work: Work, seconds: float, at_least: int = 3) -> float:
    """Shortest time of one call, over repetitions that last `seconds` together; the first is not counted."""
    work()
    times: list[float] = []
    while len(times) < at_least or sum(times) < seconds:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def in_turns(works: Mapping[Any, Work], rounds: int) -> dict[Any, float]:
    """Shortest time of each work over the rounds; a round before them is not counted."""
    times = dict.fromkeys(works, float("inf"))
    for turn in range(rounds + 1):
        for key, work in works.items():
            start = time.perf_counter()
            work()
            if turn:
                times[key] = min(times[key], time.perf_counter() - start)
    return times


def memory_of(work: Work) -> int:
    """What doing it twice adds to the memory of this process at its peak, bytes."""
    before = psutil.Process().memory_info().rss
    work()
    work()
    return machine.peak_bytes() - before


def in_own_process(measure: Callable[..., Any], *args: object) -> Any:
    """Call a module's function in a fresh interpreter; arguments and result are what JSON can hold."""
    spec = sys.modules[measure.__module__].__spec__  # knows the name of a module that runs as __main__
    call = json.dumps([spec and spec.name, measure.__name__, *args])
    allocator = {**os.environ, **KEEP_FREED}  # as a sweep's workers have it
    command = [sys.executable, "-m", "benchmarks.timing", call]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=allocator)
    found = json.loads(done.stdout.splitlines()[-1])
    print(found, flush=True)
    return found


def stamp(rows: list[Row]) -> pd.DataFrame:
    """Machine, versions, date, threads and load beside every row."""
    about = {
        "machine": f"{machine.processor()}, {psutil.cpu_count()} cores",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": date.today().isoformat(),
        "threads": torch.get_num_threads(),
        "load_average": psutil.getloadavg()[0],
    }
    return pd.DataFrame(rows).assign(**about)


def save(rows: list[Row], name: str) -> None:
    """Put measured rows into the table, in their predecessors' place: a study cut short keeps what it has."""
    OUT.mkdir(parents=True, exist_ok=True)
    path, table = OUT / name, stamp(rows)
    if path.exists():
        keys = ["shape", "P", "variant"]
        table = pd.concat([pd.read_csv(path), table]).drop_duplicates(keys, keep="last").sort_values(keys)
    table.to_csv(path, index=False)


if __name__ == "__main__":
    module, name, *args = json.loads(sys.argv[1])
    print(json.dumps(getattr(importlib.import_module(module), name)(*args)))
