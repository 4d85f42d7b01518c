"""Figures that are turned by hand: plotly where a notebook shows it, a still picture where it does not."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.panel_parts import LOSS_LABEL, by_streams
from analysis.output import figure_style
from scaling.data.runs import finished_runs

GRID = 28  # points of the surface along each axis


class TurnedFigure:
    """A plotly figure (`figure`), with a still picture of it for pages that cannot turn it."""

    def __init__(self, figure: Any, still: Figure) -> None:
        self.figure, self.still = figure, still

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        picture, size = figure_style.retina_png(self.still)
        shown = {"application/vnd.plotly.v1+json": json.loads(self.figure.to_json()), "image/png": picture}
        return {**shown, "text/plain": "surface of the loss over N and P"}, {"image/png": size}


def surface(table: pd.DataFrame, law: Any) -> TurnedFigure:
    """The loss of a law over N and P as an interactive surface, with the runs as points above or below it.

    Args:
        table: N, P, loss (nats per token) of one corpus.
        law: the fitted law of N and P.

    Returns:
        A `TurnedFigure`, which Jupyter shows. Its `figure` is a plotly figure, whose `write_html` saves a page.
    """
    import plotly.graph_objects as go

    runs = finished_runs(table)
    N = np.geomspace(runs["N"].min(), runs["N"].max(), GRID)
    P = np.geomspace(runs["P"].min(), runs["P"].max(), GRID)
    loss = np.asarray(law.predict(N=N[None, :], P=P[:, None]))
    sheet = go.Surface(x=N, y=P, z=loss, colorscale="Cividis", opacity=0.85, colorbar={"title": "loss"})
    figure = go.Figure(sheet)
    looks = figure_style.stream_looks(runs["P"])
    for streams, rows in by_streams(runs):
        at = {"x": rows["N"], "y": rows["P"], "z": rows["loss"], "mode": "markers"}
        figure.add_scatter3d(
            **at, name=f"P = {streams}", marker={"size": 4, "color": looks[streams]["color"]}
        )
    axes: dict[str, Any] = {"type": "log", "dtick": 1}
    scene = {
        "xaxis": {**axes, "title": "N, non-embedding parameters"},
        "yaxis": {**axes, "title": "P, streams", "dtick": float(np.log10(2))},
        "zaxis": {"title": LOSS_LABEL},
    }
    figure.update_layout(scene=scene, width=640, height=460, margin={"l": 0, "r": 0, "t": 10, "b": 0})
    return TurnedFigure(figure, _still(runs, N, P, loss, looks))


def _still(runs: pd.DataFrame, N: Any, P: Any, loss: Any, looks: Any) -> Figure:
    """The same from one side."""
    figure, (axes,) = figure_style.new_figure(height=3.2, width=4.4, subplot_kw={"projection": "3d"})
    with figure_style.house_style():
        panel: Any = axes
        x, y = np.meshgrid(np.log10(N), np.log2(P))
        panel.plot_surface(x, y, loss, cmap="cividis", alpha=0.7, linewidth=0)
        for streams, rows in by_streams(runs):
            at = np.log10(rows["N"]), np.log2(rows["P"])
            panel.scatter(*at, rows["loss"], label=f"$P = {streams}$", s=12, **looks[streams])
        panel.set(xlabel=r"$\log_{10} N$", ylabel=r"$\log_2 P$", zlabel=LOSS_LABEL)
        panel.view_init(elev=22, azim=-130)
        figure.legend(loc="outside upper center", ncols=6)
    return figure
