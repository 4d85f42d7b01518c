r"""Whether the best learning rate of one width holds at others: whole runs under AdamW, with and without muP.

    parscale sweep ci --sizes 32x2,64x2,128x2 --streams 1 --seeds 0,1 --tokens 150000 --axis optimizer=adamw \
        --axis mup_base=0,32 --axis lr=0.001,0.002,0.004,0.008,0.016,0.032 --out results/sweeps/width-transfer
    python -m results.grids.width_transfer

The second command draws results/coordinates/transfer from the first one's runs and prints the best learning rates.
"""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes

import scaling
from analysis.figures.panel_parts import LOSS_LABEL, head, one_legend
from analysis.output.figure_style import MARKERS, RAMP, house_style, new_figure, plain_log_ticks, save_figure

SWEEP = "results/sweeps/width-transfer"
FIGURE = "results/coordinates/transfer"
PANELS = {0: "without muP", 32: "with muP, base width 32"}


def best_rates(runs: pd.DataFrame) -> pd.DataFrame:
    """The learning rate of least mean loss over seeds at each base width and width: mup_base, width, lr, loss."""
    means = runs.groupby(["mup_base", "width", "lr"], as_index=False)["loss"].mean()
    return means.loc[means.groupby(["mup_base", "width"])["loss"].idxmin()]


def panel(axes: Axes, runs: pd.DataFrame, best: pd.DataFrame) -> None:
    """A curve a width through the means over seeds, its best value filled, and faint points of the runs."""
    widths = sorted(runs["width"].unique())
    colours = mpl.colormaps[RAMP].resampled(len(widths) + 1)
    for place, width in enumerate(widths):
        rows, least = runs[runs["width"] == width], best[best["width"] == width]
        mean = rows.groupby("lr")["loss"].mean()
        look: dict[str, Any] = {"color": colours(place), "marker": MARKERS[place], "markersize": 4}
        axes.plot(rows["lr"], rows["loss"], **look | {"linestyle": "", "markersize": 3, "alpha": 0.35})
        axes.plot(mean.index, mean, markerfacecolor="white", label=f"width {width}", **look)
        axes.plot(least["lr"], least["loss"], **look | {"markersize": 7})
    axes.set_xscale("log")
    plain_log_ticks(axes.xaxis)
    axes.set_xlabel("learning rate")


def main() -> None:
    """Draw the figure and print the table."""
    runs = pd.DataFrame(scaling.read_runs(SWEEP))
    best = best_rates(runs)
    figure, every = new_figure(1, 2, width=6.74, height=2.6)
    with house_style():
        for (base, title), axes in zip(PANELS.items(), every, strict=True):
            panel(axes, runs[runs["mup_base"] == base], best[best["mup_base"] == base])
            head(axes, title, ["lines: mean of two seeds; filled: the best of each width"])
            axes.set_ylim(runs["loss"].min() - 0.05, runs["loss"].max() + 0.05)
        every[0].set_ylabel(f"validation {LOSS_LABEL}")
        one_legend(figure)
    save_figure(figure, FIGURE, command="python -m results.grids.width_transfer", data=SWEEP)
    print(best.to_string(index=False))


if __name__ == "__main__":
    main()
