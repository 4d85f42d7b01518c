"""Coverage of forecasts along other axes than N, P and D, and what a forecast costs: `python -m benchmarks.forecast.axes`.

Public tables of experts, expansion (sparsity), bits and unique tokens: the upper third of the values of one axis is held
out, axis by axis, and forecast from the rest by `scaling.forecast` with its default laws. Then made tables of four
registered laws with known noise. Nothing was tuned on either. Writes results/benchmarks/forecast_axes.csv and the table in
docs/forecast.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd

import scaling
from benchmarks import ROOT
from benchmarks.forecast.splits import LEVEL, TABLES
from scaling.data.atomic_files import write_between
from scaling.laws import OTHER_AXES

TABLE = ROOT / "results/benchmarks/forecast_axes.csv"
MARKS = ("<!-- other axes -->", "<!-- end of other axes -->")
SPEED = ("<!-- cost -->", "<!-- end of cost -->")
UPPER = 2 / 3  # share of an axis' values that is fitted
LEAST = 8  # rows that are fitted, at least
NOISE, DRAWS = 0.003, 5  # of made tables
MADE = {
    "bits": {"E": 1.7, "A": 400.0, "alpha": 0.33, "gamma": 2.0, "B": 1300.0, "beta": 0.37},
    "vocabulary": {"E": 1.7, "A": 400.0, "alpha": 0.33, "B": 1300.0, "beta": 0.37, "V": 2.0, "v": 0.3},
    "shape": {"E": 1.7, "A": 60.0, "a": 0.6, "B": 2.0, "b": 0.8, "F": 1300.0, "g": 0.37},
}
VALUES = {
    "N": np.geomspace(5e7, 2e9, 5), "D": np.geomspace(2e9, 5e10, 4), "bits": np.array([2.0, 3, 4, 6, 8]),
    "vocabulary": np.geomspace(4e3, 2.6e5, 5), "width": np.geomspace(256, 4096, 5), "depth": np.geomspace(4, 48, 5),
}  # fmt: skip


def public() -> Iterator[tuple[str, pd.DataFrame]]:
    """Public tables by name, their columns the laws' axes and loss."""
    routing = pd.read_csv(TABLES / "routing.csv")
    plain = (routing.k == 1) & (routing.flop_increase == 1) & (routing.routing_frequency == 0.5)
    named = {"dense_parameter_count": "N", "num_experts": "experts", "loss_validation": "loss"}
    yield "routing", routing[plain].rename(columns=named)[list(named.values())]
    named = {"N_active": "N", "P": "expansion", "loss": "loss"}
    for tokens, rows in pd.read_csv(TABLES / "sparsity.csv").groupby("D2"):
        yield (
            f"sparsity, {tokens:.2f}B tokens",
            rows.assign(N_active=1e9 * rows.N_active)[list(named)].rename(columns=named),
        )
    named = {"non_embedding_parameters": "N", "tokens": "D", "bits": "bits", "loss": "loss"}
    precision = pd.read_csv(TABLES / "precision.csv")
    precision["bits"] = pd.to_numeric(precision.level, errors="coerce")
    yield "QuEST", precision.dropna()[list(named)].rename(columns=named)
    named = {"params": "N", "tokens": "D", "unique_tokens": "unique", "loss": "loss"}
    yield (
        "datablations",
        pd.read_csv(TABLES / "data_constrained.csv")[list(named)].rename(columns=named).dropna(),
    )


def made(name: str, draw: int) -> pd.DataFrame:
    """A table of a registered law with noise of NOISE in the log loss."""
    law = OTHER_AXES[name](**MADE[name])
    grid = np.meshgrid(*(VALUES[axis] for axis in law.axes))
    x = {axis: values.ravel() for axis, values in zip(law.axes, grid, strict=True)}
    noise = np.random.default_rng(draw).standard_normal(grid[0].size)
    return pd.DataFrame(x | {"loss": law.predict(**x) * np.exp(NOISE * noise)})


def along(runs: pd.DataFrame, axis: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The runs with the lower two thirds of the values of an axis, and the rest. None where too few are left."""
    values = np.unique(runs[axis])
    if values.size < 3:
        return None
    keep = runs[axis] <= values[int(np.ceil(UPPER * values.size)) - 1]
    return (runs[keep], runs[~keep]) if keep.sum() >= LEAST and (~keep).sum() >= 2 else None


def row(table: str, runs: pd.DataFrame, axis: str) -> dict[str, object] | None:
    """What a forecast of the upper values of one axis says of them."""
    split = along(runs, axis)
    if split is None:
        return None
    fitted, asked = split
    axes = [column for column in runs if column != "loss"]
    found = scaling.forecast(fitted, **{a: asked[a].to_numpy() for a in axes}, level=LEVEL)
    y, low, high = (
        np.log(np.maximum(np.asarray(v, float), 1e-9)) for v in (asked.loss, found.lower, found.upper)
    )
    return {
        "table": table, "axis": axis, "reach": asked[axis].max() / fitted[axis].max(), "fitted": len(fitted),
        "asked": len(asked), "covered": float(((low <= y) & (y <= high)).mean()),
        "error": float(np.abs(np.log(found.loss) - y).mean()), "half_width": float((high - low).mean() / 2),
    }  # fmt: skip


def study() -> pd.DataFrame:
    """Every table and axis, one row each."""
    rows = [row(name, runs, axis) for name, runs in public() for axis in runs if axis != "loss"]
    for name in MADE:
        for draw in range(DRAWS):
            runs = made(name, draw)
            rows += [row(f"made, {name}", runs, axis) for axis in runs if axis not in ("N", "D", "loss")]
    return pd.DataFrame([one for one in rows if one])


def markdown(found: pd.DataFrame) -> str:
    """One row a table and axis, draws of made tables together."""
    lines = [
        "| table | held out along | reach | fitted | forecast | covered | mean error | half-width |",
        "|---" * 8 + "|",
    ]
    for (table, axis), part in found.groupby(["table", "axis"], sort=False):
        covered = (part.covered * part.asked).sum() / part.asked.sum()
        lines.append(
            f"| {table} | {axis} | {part.reach.mean():.3g} | {part.fitted.sum()} | {part.asked.sum()} | {covered:.1%} "
            f"| {part.error.mean():.4f} | {part.half_width.mean():.4f} |"
        )
    return "\n".join(lines)


def speed() -> str:
    """CPU seconds of one forecast, by rows: the paper's on the Pile, and made ones of N and D."""
    losses = scaling.read_runs(ROOT / "results/published/losses.csv")
    law = scaling.ChinchillaLaw(E=1.7, A=400.0, B=1300.0, alpha=0.33, beta=0.37)
    lines = ["| rows | laws | CPU seconds |", "|---" * 3 + "|"]
    for rows in (24, 1_000, 100_000):
        N, D, noise = np.random.default_rng(0).uniform(size=(3, rows))
        runs = pd.DataFrame({"N": 5e7 * 100**N, "D": 1e9 * 100**D})
        runs["loss"] = law.predict(N=runs.N, D=runs.D) * np.exp(NOISE * (2 * noise - 1))
        asked = {"N": 3e10, "D": 3e11}
        if rows == 24:
            runs, asked = losses.loc[losses.corpus == "pile", ["N", "P", "loss"]], {"N": 3e10, "P": 8.0}
        begun = time.process_time()
        found = scaling.forecast(runs, **asked)
        lines.append(f"| {rows:,} | {len(found.laws)} | {time.process_time() - begun:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Run the study and write its tables. `--speed`: only the second."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--speed", action="store_true", help="only what a forecast costs")
    if not parser.parse_args().speed:
        found = study()
        found.to_csv(TABLE, index=False, float_format="%.6g")
        write_between(ROOT / "docs/forecast.md", MARKS, markdown(found))
        print(markdown(found))
    write_between(ROOT / "docs/forecast.md", SPEED, text := speed())
    print(text)


if __name__ == "__main__":
    main()
