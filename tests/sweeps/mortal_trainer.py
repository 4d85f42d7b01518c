"""A trainer of a few lines with real snapshots, and a sweep of it: `python mortal_trainer.py OUT`."""

import json
import os
import random
import sys
import time
from pathlib import Path

import pandas as pd

from sweeps.corpora import build as corpora
from sweeps.driver.run_sweep import run_sweep
from sweeps.grids.grids import Axes, find
from sweeps.store.checksums import write_text
from sweeps.training import snapshots
from sweeps.training.interrupt import Interrupted
from tests.sweeps.fake_trainer import row

STEPS = 100


def train(run, folder, *, execution, stop, progress, report):
    """A random walk, whose end depends on every step."""
    folder.mkdir(parents=True, exist_ok=True)
    for half in folder.glob(".snapshot-*.tmp"):
        snapshots.remove(half)
    snapshot, _ = snapshots.latest(folder)
    if snapshot:
        report(f"{run.run_id} goes on from step {snapshots.step_of(snapshot)}")
    state = json.loads(snapshot.read_text()) if snapshot else {"loss": 3.0, "walk": []}
    for step in range(len(state["walk"]), STEPS):
        if stop():
            save(state, folder)
            raise Interrupted("stopped")
        state["loss"] += random.Random(f"{run.run_id} {step} {state['loss']}").uniform(-0.01, 0.01)
        state["walk"].append(state["loss"])
        progress({"step": step + 1, "loss": state["loss"]})
        if step % 5 == 4:
            save(state, folder)
        time.sleep(0.01)
    steps = range(1, len(state["walk"]) + 1)
    pd.DataFrame({"run_id": run.run_id, "step": steps, "train_loss": state["walk"]}).to_parquet(
        folder / "curve.parquet"
    )
    write_text(folder / "state.json", json.dumps(state))
    return row(run) | {"loss": state["loss"]}


def save(state, folder):
    half = folder / f".snapshot-{os.getpid()}.tmp"
    half.write_text(json.dumps(state))
    snapshots.publish(half, len(state["walk"]))


def main():
    corpora.bind = lambda configs, **more: list(configs)
    configs = find("ci")(Axes(streams=(1, 2, 4), seeds=(0, 1)))
    result = run_sweep(configs, Path(sys.argv[1]), name="ci", workers=2, trainer="mortal_trainer:train")
    print(result.summary)
    return not result.ok


if __name__ == "__main__":
    sys.exit(main())
