"""Accuracy against what an answer costs: work written out, votes, likelihood, streams, loops."""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.costs.cheapest_answers import task_and_work
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
HOLLOW: dict[str, Any] = {"markerfacecolor": "none"}
Looks = tuple[dict[tuple[int, int], dict[str, Any]], dict[int, str]]
KEYS = ["P", "trained_r", "r", "work"]


def accuracy_against_cost(table: pd.DataFrame) -> Figure:
    """Accuracy against the cost of an answer: a row of panels per task and difficulty, one panel per cost.

    Args:
        table: as `sweeps.inspect.inference_scaling` writes it, of one size. Runs of several seeds are averaged.

    Returns:
        The figure: a colour per model, a marker per amount of work that it was trained to write (`#steps=`), hollow where
        it runs with another r than in training. Bars are two standard errors over items and seeds.
    """
    parts = [task_and_work(corpus) for corpus in table["corpus"]]
    shown = table.assign(task=[task for task, _ in parts], work=[work for _, work in parts])
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
            axes[i * len(COSTS)].set_ylabel(f"{str(task).partition('#')[0]} {difficulty}\naccuracy")
        one_legend(figure, more=_key(shown, looks))
    return figure


def _key(table: pd.DataFrame, looks: Looks) -> dict[str, Line2D]:
    """What the legend says of colours, markers and lines."""
    colours, markers = looks
    points = {
        _model(*model): Line2D([], [], linestyle="", marker="o", **look) for model, look in colours.items()
    }
    grey: dict[str, Any] = {"color": figure_style.GREY}
    points |= {
        f"greedy, work {work}": Line2D([], [], linestyle="", marker=marker, **grey)
        for work, marker in markers.items()
    }
    if (table["r"] != table["trained_r"]).any():
        points["another r than in training"] = Line2D([], [], linestyle="", marker="o", **HOLLOW, **grey)
    most = int(table["m"].max()) if len(table) else 1
    lines = {
        f"{way}, 1 to {most} samples": Line2D([], [], linestyle=dash, linewidth=0.9, **grey)
        for way, dash in WAYS.items()
    }
    return points | lines


def _looks(table: pd.DataFrame) -> Looks:
    """Colours of the models (P, r of the training), and markers of their work."""
    models = sorted({(int(P), int(trained)) for P, trained in table[["P", "trained_r"]].to_numpy()})
    colours = figure_style.CYCLE
    marked = zip(sorted({*table["work"]}), itertools.cycle(figure_style.MARKERS), strict=False)
    return {model: {"color": colours[i % len(colours)]} for i, model in enumerate(models)}, dict(marked)


def _model(P: int, trained: int) -> str:
    return f"$P = {P}$" if trained == 1 else f"$r = {trained}$" if P == 1 else f"$P = {P}$, $r = {trained}$"


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


def _panel(axes: Axes, found: pd.DataFrame, looks: Looks) -> None:
    """Greedy answers as points, samples as lines of m = 1, 2, 4 and so on."""
    colours, markers = looks
    for P, trained, r, work in found[KEYS].drop_duplicates().to_numpy(int).tolist():
        rows = found[(found[KEYS] == [P, trained, r, work]).all(axis=1)]
        look = colours[P, trained]
        greedy = rows[rows["way"] == "greedy"]
        axes.errorbar(
            greedy["cost"],
            greedy["accuracy"],
            2 * greedy["se"],
            linestyle="",
            marker=markers[work],
            label=f"_{_model(P, trained)}, r {r}, work {work}",
            **look,
            **({} if r == trained else HOLLOW),
        )
        for way, dash in WAYS.items():
            line = rows[rows["way"].isin(["one", way])].sort_values("m")
            axes.plot(line["cost"], line["accuracy"], dash, linewidth=0.9, **look)
