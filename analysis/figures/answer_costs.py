"""Accuracy against what an answer costs: work written out, votes, likelihood, streams, loops."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.panel_parts import one_legend, say_empty
from analysis.output import figure_style

COSTS = {  # the column of a cost: its label, and how many of the column's units are one of the label's
    "flops": ("MFLOP a question", 1e6),
    "latency_s_1": ("ms, 1 question", 1e-3),
    "latency_s_8": ("ms, 8 questions", 1e-3),
    "memory_bytes_1": ("MB, 1 question", 1e6),
    "memory_bytes_8": ("MB, 8 questions", 1e6),
}
WAYS: dict[str, Literal["-", ":"]] = {"vote": "-", "likeliest": ":"}  # several samples; greedy is a point
KEYS = ["P", "trained_r", "r", "steps"]


def accuracy_against_cost(table: pd.DataFrame) -> Figure:
    """Accuracy against the cost of an answer: a row of panels per task and difficulty, one panel per cost.

    Args:
        table: as `sweeps.inspect.inference_scaling` writes it, of one size. Runs of several seeds are averaged.

    Returns:
        The figure: a colour per arm, a marker per length of work. Bars are two standard errors over items and seeds.
    """
    shown = table.assign(task=[_task(corpus) for corpus in table["corpus"]])
    rows = list(shown.astype({"difficulty": int}).groupby(["task", "difficulty"], sort=True))
    count = max(1, len(rows))
    figure, axes = figure_style.new_figure(
        count, len(COSTS), width=8.5, height=0.4 + 1.9 * count, sharey="row"
    )
    with figure_style.house_style():
        if not rows:
            say_empty(axes[0], "no answers were measured")
        looks = _looks(shown)
        for i, ((task, difficulty), part) in enumerate(rows):
            for j, (cost, (label, unit)) in enumerate(COSTS.items()):
                one = axes[i * len(COSTS) + j]
                _panel(one, _averaged(part.assign(cost=part[cost] / unit)), looks)
                one.set_xscale("log")
                figure_style.plain_log_ticks(one.xaxis, (1.0, 3.0), 5)
                one.set_xlabel(label if i + 1 == len(rows) else "")
            axes[i * len(COSTS)].set_ylim(-0.04, 1.04)
            axes[i * len(COSTS)].set_ylabel(f"{task} {difficulty}\naccuracy")
        one_legend(figure, more=_more(shown))
    return figure


def _more(table: pd.DataFrame) -> dict[str, Line2D]:
    """What a legend says of lines and points."""
    most = int(table["m"].max()) if len(table) else 1
    look: dict[str, Any] = {"color": figure_style.GREY, "linewidth": 0.9}
    lines = {
        f"{way}, 1 to {most} samples": Line2D([], [], linestyle=dash, **look) for way, dash in WAYS.items()
    }
    return {"greedy": Line2D([], [], linestyle="", marker="o", color=figure_style.GREY), **lines}


def _task(corpus: str) -> str:
    """A corpus without the part of its name that says the work: runs with and without work share a panel."""
    name = corpus.removeprefix("task:")
    return "#".join(part for part in name.split("#") if not part.startswith(("steps=", "loss=")))


def _looks(table: pd.DataFrame) -> dict[tuple[int, int, int], dict[str, Any]]:
    """Colours of the arms: (P, r of the training, r)."""
    arms = sorted({(int(P), int(t), int(r)) for P, t, r in table[KEYS[:3]].to_numpy()})
    colours = figure_style.CYCLE
    return {arm: {"color": colours[i % len(colours)]} for i, arm in enumerate(arms)}


def _arm(P: int, trained: int, r: int) -> str:
    named = f"$P = {P}$" if P > 1 or trained == 1 else f"$r = {r}$"
    return named if r == trained else f"{named} (trained at {trained})"


def _averaged(part: pd.DataFrame) -> pd.DataFrame:
    """Accuracy, its standard error and the cost over seeds."""
    several = part.groupby([*KEYS, "way", "m"], as_index=False)
    found = several.agg(
        accuracy=("accuracy", "mean"),
        within=("accuracy_se", lambda se: float(np.sqrt((se**2).mean() / len(se)))),
        between=("accuracy", lambda a: a.std(ddof=1) / np.sqrt(len(a)) if len(a) > 1 else 0.0),
        cost=("cost", "mean"),
    )
    return found.assign(se=np.maximum(found["within"], found["between"]))


def _panel(axes: Axes, found: pd.DataFrame, looks: dict[tuple[int, int, int], dict[str, Any]]) -> None:
    """Greedy answers as points, samples as lines of m = 1, 2, 4 and so on."""
    lengths = sorted(found["steps"].unique())
    markers = dict(zip(lengths, figure_style.MARKERS, strict=False))
    for P, trained, r, steps in found[KEYS].drop_duplicates().to_numpy(int).tolist():
        rows = found[(found[KEYS] == [P, trained, r, steps]).all(axis=1)]
        look, marker = looks[P, trained, r], markers[steps]
        label = _arm(P, trained, r) + (f", {steps} tokens of work" if steps else "")
        greedy = rows[rows["way"] == "greedy"]
        axes.errorbar(
            greedy["cost"],
            greedy["accuracy"],
            2 * greedy["se"],
            linestyle="",
            marker=marker,
            label=label,
            **look,
        )
        for way, dash in WAYS.items():
            line = rows[rows["way"].isin(["one", way])].sort_values("m")
            axes.plot(line["cost"], line["accuracy"], dash, linewidth=0.9, **look)
