"""Runs of a store: their configurations, their rows, their end."""

import pandas as pd

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig


def config(P=1, seed=0):
    model = ModelConfig(vocab=300, width=32, ffn=96, layers=1, heads=2, kv_heads=1, P=P, prefix_tokens=4)
    return RunConfig(model, "s", "32x1", seed, "stdlib", steps=5, batch=2, seq_len=8)


def row(run, loss=3.0):
    return {"run_id": run.run_id, "corpus": "stdlib", "N": run.model.N, "P": run.model.P, "seed": run.seed,
            "C": run.C, "loss": loss, "status": "ok"}  # fmt: skip


def finish(store, run, loss=3.0, points=2):
    folder = store.checkpoint(run.run_id)
    folder.mkdir(parents=True, exist_ok=True)
    curve = pd.DataFrame({"run_id": run.run_id, "step": range(points), "train_loss": 1.5})
    curve.to_parquet(folder / "curve.parquet")
    store.finish(run.run_id, row(run, loss))
