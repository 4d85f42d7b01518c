"""A driver of a small sweep: `python -m benchmarks.slurm.drive OUT CORPUS '{launcher fields}' TOKENS:P ...`.

There may also be `devices` and `num_nodes` of a run, `workers`, a `search`, as `--search` takes it, and `stop_losers`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sweeps.config.execution import Execution
from sweeps.driver.run_sweep import find_launcher, run_sweep
from sweeps.driver.search_sweep import search_sweep
from sweeps.grids.forecast_losers import forecast_losers
from sweeps.grids.grids import Axes, find
from sweeps.grids.search import read_search

OFTEN = Execution(accelerator="cpu", checkpoint_minutes=0.02, report_seconds=0.0, threads=1)


def main(out: str, corpus: str, launcher: str, *wanted: str) -> int:
    """Train the runs wanted. Returns 0 if each has a row."""
    runs = []
    for tokens, streams in (one.split(":") for one in wanted):
        axes = Axes(sizes=("32x1",), streams=(int(streams),), corpora=(corpus,), tokens=int(tokens))
        runs += [replace(run, eval_tokens=2000) for run in find("ci")(axes)]
    settings = json.loads(launcher)
    ranks = {name: settings.pop(name, 1) for name in ("devices", "num_nodes")}
    search, workers = settings.pop("search", ""), settings.pop("workers", len(runs))
    hopeless = forecast_losers if settings.pop("stop_losers", False) else None
    how: dict[str, Any] = {
        "launcher": find_launcher("slurm", **settings) if settings else "local",
        "workers": workers,
        "execution": replace(OFTEN, **ranks),
        "trainer": "benchmarks.slurm.paced:train",
    }
    result = (
        search_sweep(runs, replace(read_search(search), hopeless=hopeless), Path(out), **how)
        if search
        else run_sweep(runs, Path(out), **how)
    )
    print(result.summary)
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
