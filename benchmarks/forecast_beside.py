"""Forecasts beside the public tables: the paper's hold-outs, simulated runs, another package's intervals."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import scaling
from benchmarks.forecast_scores import PEER, PLAIN, POOLED, row, run
from benchmarks.forecast_tables import ROOT, Split, Table
from scaling import forecast

FACTORS = (3.0, 10.0, 30.0)  # of the largest N, in simulations


def paper() -> pd.DataFrame:
    """The paper's own hold-outs: N < 2e9 fitted, the 2.8B and 4.4B models forecast, on both corpora."""
    runs, out = scaling.read_runs(ROOT / "results/published/losses.csv"), []
    for corpus, rows in runs.groupby("corpus"):
        small, large = rows[rows.N < 2e9], rows[rows.N > 2e9]
        made = forecast(small, N=large.N, P=large.P)
        before = scaling.fit(scaling.ParallelLaw, small).predict(N=large.N, P=large.P, widened=False)
        for i, (_, run_) in enumerate(large.iterrows()):
            old, new = before.iloc[i], made.table.iloc[i]
            out.append(
                {"corpus": corpus, "size": run_["size"], "P": int(run_.P), "observed": run_.loss,
                 "prediction interval": f"{old.new_lower:.4f} to {old.new_upper:.4f}",
                 "held": "yes" if old.new_lower <= run_.loss <= old.new_upper else "no",
                 "forecast": f"{new.lower:.4f} to {new.upper:.4f}",
                 "held by forecast": "yes" if new.lower <= run_.loss <= new.upper else "no"}
            )  # fmt: skip
    return pd.DataFrame(out)


def truths() -> dict[str, Any]:
    """Losses of n = N / 1e7 and d = D / 1e9 that are none of the laws."""
    return {
        "exponent falls with N": lambda n, d: 1.6 + 1.5 * n ** (-0.35 + 0.02 * np.log(n)) + 0.6 * d**-0.3,
        "two power laws in N": lambda n, d: 1.2 + 1.2 * n**-0.6 + 0.7 * n**-0.08 + 0.5 * d**-0.3,
        "break at N = 3e8": lambda n, d: 1.7 + 1.4 * n**-0.25 * (1 + (n / 30) ** 2) ** -0.04 + 0.5 * d**-0.35,
        "logarithms": lambda n, d: 1.5 + 6.0 / np.log(100 * n) + 2.0 / np.log(1000 * d),
    }


def _simulated(task: tuple[str, int]) -> list[dict[str, Any]]:
    """One trial: 6 sizes x 4 budgets with noise of 0.3%, forecast at 3, 10 and 30 times the largest N."""
    name, seed = task
    truth, rng = truths()[name], np.random.default_rng(seed)
    grid = itertools.product(np.geomspace(1e7, 4e8, 6), np.geomspace(1e9, 1e10, 4))
    N, D = (np.array(v) for v in zip(*grid, strict=True))
    noise = np.exp(0.003 * rng.standard_normal(N.size + 3))
    runs = pd.DataFrame({"N": N, "D": D, "loss": truth(N / 1e7, D / 1e9) * noise[:-3]})
    large = pd.DataFrame({"N": 4e8 * np.array(FACTORS), "D": 2e10})
    large["loss"] = truth(large.N / 1e7, large.D / 1e9) * noise[-3:]
    fit = scaling.fit(scaling.ChinchillaLaw, runs)
    before, made = fit.predict(N=large.N, D=large.D, widened=False), forecast(runs, N=large.N, D=large.D)
    ends = {PLAIN: (before.new_lower, before.new_upper), POOLED: (made.lower, made.upper)}
    out = []
    for place, factor in enumerate(FACTORS):
        split = Split(Table("simulated", name, runs), f"N x {factor:g}", runs, large.iloc[[place]])
        out += [row(split, m, low.iloc[[place]], high.iloc[[place]]) for m, (low, high) in ends.items()]
    return out


def simulated(trials: int = 40) -> pd.DataFrame:
    """Coverage, width and score, of the log loss, where the truth is none of the laws."""
    rows = run(_simulated, [(name, seed) for name in truths() for seed in range(trials)])
    found = rows.groupby(["table", "kind", "method"], sort=False)[["coverage", "width", "score"]].mean()
    return found.reset_index().assign(trials=trials)


def peer(python: str, every: list[Split]) -> pd.DataFrame:
    """simple-scaling-laws' interval of each split of N and D."""
    both = [s for s in every if {"N", "D"} <= set(s.fitted)]
    columns = {"fitted": ["N", "D", "loss"], "asked": ["N", "D"]}
    tasks = [
        {part: [getattr(s, part)[c].tolist() for c in some] for part, some in columns.items()} for s in both
    ]
    script = str(Path(__file__).with_name("forecast_peer.py"))
    done = subprocess.run(
        [python, "-W", "ignore", script], input=json.dumps(tasks), capture_output=True, text=True, check=True
    )
    found = zip(both, json.loads(done.stdout), strict=True)
    return pd.DataFrame([row(s, PEER, *ends) for s, ends in found if not isinstance(ends, str)])
