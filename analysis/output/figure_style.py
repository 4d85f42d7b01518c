"""One look for every figure, and the one way a figure reaches a file.

`house_style()` holds the settings, `new_figure` makes a figure that draws itself in them wherever it is
shown, `save_figure` writes PNG and PDF that are the same bytes for the same input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedFormatter,
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from scaling.data.atomic_files import replacing
from scaling.data.units import count_labels

# Okabe and Ito's palette: told apart under all common colour-vision deficiencies.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, GREY, BLACK = "#56B4E9", "#E69F00", "#7F7F7F", "#222222"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, AMBER, GREY)
# P is an ordered quantity: one ramp from dark to light, and a marker of its own for each P.
RAMP = "viridis"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")

TEXT_WIDTH = 7.2  # inches; two panels side by side on a page
_SETTINGS: Any = {
    "font.family": ["DejaVu Sans"],  # ships with matplotlib: the same letters on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=CYCLE),
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "savefig.dpi": 200,
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # letters stay letters: searchable, and editable in a drawing program
    "pdf.compression": 6,
    "svg.hashsalt": "parscale",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's settings for the time of a `with` block, then as they were."""
    with mpl.rc_context(_SETTINGS):
        yield


class StyledFigure(Figure):
    """A figure that belongs to no window: drawn in the house style anywhere, shown by notebooks as a PNG."""

    def draw(self, renderer: Any) -> None:
        """Draw in the style; ticks made only now would take the caller's settings otherwise."""
        with house_style():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
        return buffer.getvalue()


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = TEXT_WIDTH, height: float = 3.0, **subplots: Any
) -> tuple[StyledFigure, list[Axes]]:
    """A styled figure and its axes, row by row. Width and height in inches."""
    with house_style():
        figure = StyledFigure(figsize=(width, height), layout="constrained")
        axes = np.asarray(figure.subplots(rows, columns, squeeze=False, **subplots)).ravel()
    return figure, list(axes)


def save_figure(figure: Figure, path: Path | str, *, command: str, data: str) -> list[Path]:
    """Write `path`.png and `path`.pdf with the command and data that made them; return both paths.

    No date is written, so equal input gives equal files. A reader never meets half a file.
    """
    base = Path(path)
    base.parent.mkdir(parents=True, exist_ok=True)
    origin = f"made by: {command}; from: {data}"
    png = {"Title": base.name, "Description": origin, "Software": None}
    pdf = {"Title": base.name, "Subject": origin, "CreationDate": None, "Creator": "parscale"}
    written = []
    for suffix, metadata in (("png", png), ("pdf", pdf)):
        target = base.with_name(f"{base.name}.{suffix}")
        with replacing(target) as temporary, house_style():
            figure.savefig(temporary, format=suffix, metadata=metadata)
            figure.set_layout_engine("none")  # the axes stay where they are: laying out again costs a second
        written.append(target)
    return written


def stream_looks(streams: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Colour and marker of each P: {P: {"color", "marker"}}; P = 1 darkest."""
    values = sorted({int(p) for p in streams})
    ramp = mpl.colormaps[RAMP]
    spots = np.linspace(0.0, 0.82, max(len(values), 2))
    return {
        p: {"color": mpl.colors.to_hex(ramp(spots[i])), "marker": MARKERS[i % len(MARKERS)]}
        for i, p in enumerate(values)
    }


def size_ticks(axes: Axes, sizes: Sequence[float], *, gap: float = 0.085) -> None:
    """Log axis of N, labelled at the sizes there are, leaving out labels that would touch.

    `gap` is the least distance of two labels as a fraction of the axis. Sizes within 5% (the same
    backbone at another P) share one tick, at the smallest.
    """
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    span = np.log(high / low)
    ticks: list[float] = []
    for size in sorted(set(sizes)):
        if not ticks or size > ticks[-1] * 1.05:
            ticks.append(float(size))
    labels = count_labels(ticks)
    last = -np.inf
    for i, tick in enumerate(ticks):
        free = np.log(tick) - last >= gap * span
        labels[i] = labels[i] if free else ""
        last = np.log(tick) if free else last
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter(labels))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())


def stream_ticks(axes: Axes, streams: Iterable[float]) -> None:
    """Log axis of P, labelled at each P there is."""
    values = sorted({float(p) for p in streams})
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(values))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{v:g}" for v in values]))
    axes.xaxis.set_minor_locator(NullLocator())


def plain_log_ticks(axis: Axis, subs: Sequence[float] = (1.0, 2.0, 5.0), most: int = 9) -> None:
    """A log axis labelled 0.1, 0.2, 0.5, 1, 2, ... (or at other `subs` of each decade), `most` of them."""
    low, high = axis.get_view_interval()
    narrow = 0 < high < 3 * low  # too few of `subs` inside: matplotlib would fill the axis with others
    axis.set_major_locator(
        MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]) if narrow else LogLocator(subs=subs, numticks=most)
    )
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
