"""A trainer of a few lines that pauses where asked and has a known best learning rate, and a search that uses it."""

import json
import math
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd

from sweeps.corpora import build as corpora
from sweeps.driver.clusters.ray_cluster import RayLauncher
from sweeps.driver.search_sweep import search_sweep
from sweeps.grids.grids import Axes, find
from sweeps.grids.search import read_search
from sweeps.training import snapshots
from sweeps.training.interrupt import Interrupted
from tests.sweeps.fake_trainer import row

SEARCH = "lr=1e-3..1e-1"
BEST = {1: 0.1, 2: 0.02, 4: math.inf}  # learning rate of least loss by P (P = 4 diverges at every one)


def train(run, folder, *, execution, stop, progress, report):
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "threads").open("a") as file:
        file.write(f"{execution.until}\n")
    snapshot, _ = snapshots.latest(folder)
    walk = json.loads(snapshot.read_text()) if snapshot else []
    best, end = BEST[run.model.P], execution.until or run.steps
    while len(walk) < end and best < math.inf:
        if stop():
            save(walk, folder)
            raise Interrupted("stopped")
        step = len(walk) + 1
        away = math.log(run.lr / best) + (step < run.steps)  # training favours a learning rate that is lower
        walk.append(3.0 + 0.1 * away**2 - step / run.steps)
        progress({"step": step, "loss": walk[-1]})
        time.sleep(float(os.environ.get("SLOWLY", "0")))
    curve = {"run_id": run.run_id, "step": range(1, len(walk) + 1), "train_loss": walk}
    pd.DataFrame(curve).to_parquet(folder / "curve.parquet")
    if best == math.inf:
        return row(run, "diverged") | {"ended_step": 3, "ended_why": "asked to", "loss": math.nan}
    if len(walk) < run.steps:
        save(walk, folder)
        return row(run, "stopped") | {"ended_step": len(walk), "ended_why": "", "loss": math.nan}
    return row(run) | {"loss": walk[-1]}


def save(walk, folder):
    half = folder / f".snapshot-{os.getpid()}.tmp"
    half.write_text(json.dumps(walk))
    snapshots.publish(half, len(walk))


def lowest(curves, runs):
    """A rule of what cannot win: the lowest value."""
    return {min(curves): "too low"}


def search(out, workers=2, streams=(1, 2), hopeless=None, **settings):
    """Search two points of the ci grid at eight values each."""
    corpora.bind = lambda configs, **more: list(configs)
    configs = [replace(run, steps=20) for run in find("ci")(Axes(sizes=("32x1",), streams=streams))]
    how = {"name": "ci", "workers": workers, "trainer": "searched_trainer:train", **settings}
    return search_sweep(configs, replace(read_search(SEARCH), hopeless=hopeless), Path(out), **how)


if __name__ == "__main__":
    out, *place = sys.argv[1:]  # local or a Ray cluster's address: with values that cannot win
    there = {"launcher": "local" if place == ["local"] else RayLauncher(*place), "hopeless": lowest}
    print(search(out, **there if place else {}).summary)
