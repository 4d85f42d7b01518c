"""How a training step grows with T, P and N: time and memory, measured and drawn.

    python -m benchmarks.model.growth [--seconds 2]

Writes results/benchmarks/model_growth.csv and model_growth.png. One dial moves at a time from width 128,
6 layers, batch 8 x 256, P = 4. Every measurement has a process of its own, compiled if a C++ compiler
is found.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd

from benchmarks.model.training import BATCH, SHAPES, TOKENS, training_step
from benchmarks.timing import OUT, Row, best, in_own_process, memory_of, stamp
from sweeps.training.compiling import cxx_compiler

DIALS = {
    "T": (64, 128, 256, 512, 1024),
    "P": (1, 2, 4, 8, 16),
    "width": (64, 128, 256, 512),
}
MIDDLE = {"T": TOKENS, "P": 4, "width": 128}
LABELS = {"T": "tokens a sequence T", "P": "streams P", "N": "parameters N"}


def measure(dial: str, value: int, seconds: float) -> Row:
    """One row: a step with one dial away from the middle."""
    at = {**MIDDLE, dial: value}
    width = at["width"]
    config = replace(SHAPES["w128"], P=at["P"], width=width, ffn=3 * width, heads=width // 32)
    config = replace(config, kv_heads=max(1, config.heads // 2))
    variant = "compiled" if cxx_compiler() else "eager"
    step = training_step(config, variant, tokens=at["T"])
    peak = memory_of(step)
    elapsed = best(step, seconds)
    row = {"dial": dial, **at, "N": config.N, "variant": variant, "step_s": elapsed}
    return {**row, "tokens_per_s": BATCH * at["T"] / elapsed, "step_memory_bytes": peak}


def draw(table: pd.DataFrame) -> plt.Figure:
    """Time above, memory below, against T, P and N. A grey line grows in proportion."""
    figure, axes = plt.subplots(2, 3, figsize=(9, 5), sharex="col", sharey="row", layout="constrained")
    for column, (dial, x) in enumerate((("T", "T"), ("P", "P"), ("width", "N"))):
        part = table[table.dial == dial].sort_values(x)
        for row, (y, scale) in enumerate((("step_s", 1.0), ("step_memory_bytes", 2.0**20))):
            axis = axes[row, column]
            first, values = part.iloc[0], part[y] / scale
            axis.plot(part[x], first[y] / scale * part[x] / first[x], color="0.75", label="in proportion")
            axis.plot(part[x], values, "o-", color="#0072B2", label="measured")
            axis.set(xscale="log", yscale="log")
        axes[1, column].set_xlabel(LABELS[x])
        if dial != "width":
            axes[1, column].set_xticks(part[x], [str(value) for value in part[x]], minor=False)
            axes[1, column].minorticks_off()
    axes[0, 0].set_ylabel("time of a step (s)")
    axes[1, 0].set_ylabel("memory of a step (MiB)")
    axes[0, 0].legend(frameon=False)
    at = table.iloc[0]
    figure.suptitle(
        f"a training step of {BATCH} sequences, bf16, {at.variant}; "
        f"otherwise T = {MIDDLE['T']}, P = {MIDDLE['P']}, width {MIDDLE['width']}, 6 layers ({at.machine})",
        fontsize=9,
    )
    return figure


def main() -> None:
    """Measure every dial's values, write table and figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    rows = [in_own_process(measure, dial, value, options.seconds) for dial in DIALS for value in DIALS[dial]]
    table = stamp(rows)
    table.to_csv(OUT / "model_growth.csv", index=False)
    draw(table).savefig(OUT / "model_growth.png", dpi=150)
    print(f"{OUT}/model_growth.csv, model_growth.png: {len(table)} rows")


if __name__ == "__main__":
    main()
