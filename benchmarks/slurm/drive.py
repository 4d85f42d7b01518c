"""A driver of a small sweep: `python -m benchmarks.slurm.drive OUT CORPUS '{launcher fields}' TOKENS:P ...`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from sweeps.config.execution import Execution
from sweeps.driver.run_sweep import find_launcher, run_sweep
from sweeps.grids.grids import Axes, find

OFTEN = Execution(accelerator="cpu", checkpoint_minutes=0.02, report_seconds=0.0, threads=1)


def main(out: str, corpus: str, launcher: str, *wanted: str) -> int:
    """Train the runs wanted. Returns 0 if each has a row."""
    runs = []
    for tokens, streams in (one.split(":") for one in wanted):
        axes = Axes(sizes=("32x1",), streams=(int(streams),), corpora=(corpus,), tokens=int(tokens))
        runs += [replace(run, eval_tokens=2000) for run in find("ci")(axes)]
    settings = json.loads(launcher)
    ranks = {name: settings.pop(name, 1) for name in ("devices", "num_nodes")}
    execution = replace(OFTEN, **ranks)
    result = run_sweep(
        runs,
        Path(out),
        launcher=find_launcher("slurm", **settings) if settings else "local",
        workers=len(runs),
        execution=execution,
        trainer="benchmarks.slurm.paced:train",
    )
    print(result.summary)
    return 0 if result.ok else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
