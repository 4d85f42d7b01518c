"""Curves and folders of two-stage, continual and PEFT sweeps."""

import numpy as np
import pandas as pd

STEP, POINTS = 1000.0, 100


def curves_of(gaps, noise=0.002, before=0.0, **columns):
    """One curve per P: batch noise shared by all, a gap that depends on tokens, and noise of its own."""
    rng = np.random.default_rng(4)
    tokens = STEP * np.arange(1, POINTS + 1)
    hard = 3.0 + rng.normal(0, 0.2, POINTS)
    parts = []
    for P, gap in {1: lambda t: 0 * t, **gaps}.items():
        loss = hard + gap(tokens) + rng.normal(0, noise, POINTS) * (P > 1)
        own = {
            "run_id": f"{P}",
            "P": P,
            "tokens": before + tokens,
            "train_loss": loss,
            "seed": 0,
            "begin": before,
        }
        parts.append(pd.DataFrame({**own, **columns}))
    return pd.concat(parts, ignore_index=True)


PASSES = {
    2: lambda t: 0.02 * np.exp(-t / 10_000) - 0.005,
    4: lambda t: 0.02 - 0 * t,
    8: lambda t: 0 * t - 0.02,
    16: lambda t: 0 * t + 0.0001,
}


def recipe_sweep(folder, recipe="two-stage", sizes=("32x2", "64x2"), streams=(1, 2, 4)):
    """A sweep's folder: its runs, first stages where there are any, curves with three evaluations."""
    (folder / "configs").mkdir(parents=True)
    staged, rows, curves = recipe == "two-stage", [], []
    for i, size in enumerate(sizes):
        plan = [("stage-1", 1)] * staged + [(recipe, P) for P in streams]
        for name, P in plan:
            first = name == "stage-1"
            run = {
                "run_id": f"{size}-{name}-{P}",
                "recipe": name,
                "size": size,
                "P": P,
                "corpus": "c",
                "seed": 0,
            }
            run |= {"N": 25_000.0 * 4**i + 1000 * P, "loss": 4.5 if first else 4 - 0.2 * i - 0.01 * P}
            run |= {
                "D": 3e5 if first else 4e5 if staged else 1e5,
                "steps": 300 if first else 100,
                "status": "ok",
            }
            rows.append({**run, "batch_tokens": 1000, "loss_se": 0.03})
            (folder / "configs" / f"{run['run_id']}.json").write_text("{}")
            own = curves_of({P: PASSES[8]} if P > 1 else {}, before=0 if first or not staged else 3e5)
            own = own[own["P"] == P].drop(columns=["P", "seed", "begin"]).assign(run_id=run["run_id"])
            own["val_loss"] = own["train_loss"].where(np.arange(POINTS) % 40 == 0)
            curves.append(own)
    pd.DataFrame(rows).to_parquet(folder / "runs.parquet")
    pd.concat(curves).to_parquet(folder / "curves.parquet")
    return pd.DataFrame(rows)
