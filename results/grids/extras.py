"""What streams add, tuned: the laptop grid's rule with one thing changed at a time, on `text`.

    parscale sweep results/grids/extras.py:network --out results/sweeps/extras/network

32x2, 2M tokens, P = 4, seeds 0 and 1; `same`, `late` and `cosine` also P = 1, which they concern too, and
`same`, `slow` and `fast` P = 8, where what streams bring may want another rate than at P = 4. The
rule of choice, stated before any of them was run: a change is better than the grid's own if it lowers the
loss at P = 4, less that at P = 1 under the same rule, by more than .0054 on average over the seeds: twice the
standard error of a mean of two paired changes, which scatter by .0038 on `text`. (`slow`, `fast` and P = 8 of
`same` were added on the day they were run, before any trial had ended.) What came of them:

    python -m results.grids.collect results/sweeps/extras    the trials in one table
    python -m results.grids.extras                           writes results/sweeps/extras/README.md
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.grids import LAPTOP, Grid, product


def trial(name: str, P: tuple[int, ...] = (4,), **changes: Any) -> Grid:
    """The laptop rule with some fields of run or model changed."""

    def point(size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
        run = LAPTOP.run(f"extras-{name}", size, P, corpus, seed, axes)
        of_model = {key: value for key, value in changes.items() if hasattr(run.model, key)}
        of_run = {key: value for key, value in changes.items() if key not in of_model}
        return replace(run, model=replace(run.model, **of_model), **of_run)

    default = Axes(("32x2",), P, ("text",), (0, 1), tokens=2_000_000)
    told = ", ".join(f"{key}={value}" for key, value in changes.items())
    return Grid(
        f"extras-{name}", f"{LAPTOP.describe()}; {told or 'nothing changed'}", product(default, point)
    )


same = trial("same", (1, 4, 8))
network = trial("network", prefix_mlp=64)
sharp = trial("sharp", smoothing=0.0)
level = trial("level", smoothing=0.5)
small_start = trial("small_start", aggregation_std=0.002)
large_start = trial("large_start", aggregation_std=0.2)
one_prefix = trial("one_prefix", prefix_tokens=1)
many_prefixes = trial("many_prefixes", prefix_tokens=16)
wide_prefixes = trial("wide_prefixes", prefix_std=0.2)
slow = trial("slow", (4, 8), extras_lr=0.1)
fast = trial("fast", (4, 8), extras_lr=1.0)
late = trial("late", (1, 4), warmup=0.2)
cosine = trial("cosine", (1, 4), schedule="cosine")

OUT = Path(__file__).parents[1] / "sweeps/extras"
TRIALS = {name: made.rule.rpartition("; ")[2] for name, made in globals().items() if isinstance(made, Grid)}
BETTER = 0.0054
HEAD = f"""# What streams add, tuned

`python -m results.grids.extras`, from the trials' table. Losses of seeds 0 and 1, nats per token; change: P
streams less P = 1 under the same rule (that of `same` where a trial does not concern P = 1), mean over the
seeds; gained: how much lower than the change of `same`. By the rule stated before, {BETTER} were to count.
Trained on one H100, `cosine` and `wide_prefixes` on a CPU.

| trial | what is changed | P | loss | change | gained |
| --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The table of all trials, those that gained most at P = 4 first."""
    table = pd.read_parquet(OUT / "runs.parquet").set_index("seed").sort_index()
    losses = {name: _losses(table[table["sweep"] == f"extras-{name}"]) for name in TRIALS}
    change = {
        (name, P): float((found[P] - found.get(1, losses["same"][1])).mean())
        for name, found in losses.items()
        for P in found
        if P > 1
    }
    ranked = sorted(change, key=lambda cell: (cell[1], change[cell]))
    lines = [
        f"| {name} | {TRIALS[name]} | {P} | {', '.join(f'{loss:.4f}' for loss in losses[name][P])} "
        f"| {change[name, P]:+.4f} | {change['same', P] - change[name, P]:+.4f} |"
        for name, P in ranked
    ]
    return HEAD + "\n".join(lines) + "\n"


def _losses(runs: pd.DataFrame) -> dict[int, "pd.Series[float]"]:
    """{P: loss by seed} of one trial."""
    return {int(P): rows["loss"] for P, rows in runs.groupby("P")}


if __name__ == "__main__":
    (OUT / "README.md").write_text(page(), encoding="utf-8")
