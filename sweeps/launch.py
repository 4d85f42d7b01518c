"""Run a grid: plan, dispatch, watch, gather.

    run_sweep(configs, out, workers="auto", launcher="local", report=None) -> SweepResult

`configs` is a list of complete configurations (see `sweeps.grids.grid`), `out` the sweep's folder.
Runs that the folder already holds are skipped; the others are trained, largest first, by worker
processes that share the folder: the folder is the queue, a lock a run decides who trains it, and
everything `parscale status` shows is read back from it.
"""

from __future__ import annotations
