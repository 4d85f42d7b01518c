"""One look for every figure, and the one way a figure reaches a file.

`house_style()` holds the settings, `new_figure` makes a figure that draws itself in them wherever it is
shown, `save_figure` writes PNG, PDF and SVG that are the same bytes for the same input. Widths are those of a
paper: one column or the page, so that letters keep their size in print.
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
from PIL import Image

from scaling.data.atomic_files import replacing
from scaling.data.units import count_labels

# Okabe and Ito's palette: distinguishable under all common colour-vision deficiencies.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, GREY, BLACK = "#56B4E9", "#E69F00", "#7F7F7F", "#222222"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, AMBER, GREY)
# P is an ordered quantity: one ramp from dark to light, and a marker of its own for each P.
RAMP = "viridis"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")

# Laws by class name: each has one colour and one dash in every figure.
LAW_LOOKS: dict[str, dict[str, Any]] = {
    "ParallelLaw": {"color": BLUE, "linestyle": "-"},
    "DiversityLaw": {"color": ORANGE, "linestyle": (0, (5, 1.5))},
    "ParallelPowerLaw": {"color": GREEN, "linestyle": (0, (1.5, 1.2))},
    "AdditiveLaw": {"color": PINK, "linestyle": (0, (6, 1.5, 1.5, 1.5))},
    "SaturatingLaw": {"color": AMBER, "linestyle": (0, (8, 2))},
    "LogMultiplicativeLaw": {"color": BLACK, "linestyle": (0, (3, 1.5))},
    "DenseLaw": {"color": GREY, "linestyle": (0, (4, 2))},
}

COLUMN_WIDTH, TEXT_WIDTH = 3.25, 6.75  # inches: one column of a paper, and its page
LETTER = 4.2  # points: the width of a digit of a tick's label
RETINA = 2  # pixels of a notebook's picture for each one it is shown on
SHOWN_DPI = 110
_SETTINGS: Any = {
    "font.family": ["DejaVu Sans"],  # ships with matplotlib: the same letters on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=CYCLE),
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.2,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.8,
    "savefig.dpi": 220,
    "figure.dpi": SHOWN_DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,  # letters stay letters: searchable, and editable in a drawing program
    "pdf.compression": 6,
    "svg.hashsalt": "parscale",
}


@contextmanager
def house_style() -> Iterator[None]:
    """The style's matplotlib settings inside a `with` block, restored afterwards."""
    with mpl.rc_context(_SETTINGS):
        yield


def retina_png(figure: Figure) -> tuple[bytes, dict[str, int]]:
    """A picture for notebooks with RETINA pixels for each one shown, and the size to show it at.

    256 colours: a notebook holds many pictures, and a third of the bytes looks the same.
    """
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=RETINA * SHOWN_DPI, metadata={"Software": None})
    with Image.open(drawn) as picture:
        picture.convert("RGB").quantize(256).save(small, format="png", optimize=True)
    width, height = (round(SHOWN_DPI * inches) for inches in figure.get_size_inches())
    return small.getvalue(), {"width": width, "height": height}


class StyledFigure(Figure):
    """A figure that belongs to no window: drawn in the house style anywhere, shown by notebooks as a PNG."""

    def draw(self, renderer: Any) -> None:
        """Draw in the style. Otherwise ticks made now would take the caller's settings."""
        with house_style():
            super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        return retina_png(self)


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = TEXT_WIDTH, height: float = 3.0, **subplots: Any
) -> tuple[StyledFigure, list[Axes]]:
    """A styled figure and its axes, row by row. Width and height in inches."""
    with house_style():
        figure = StyledFigure(figsize=(width, height), layout="constrained")
        axes = np.asarray(figure.subplots(rows, columns, squeeze=False, **subplots)).ravel()
    return figure, list(axes)


def save_figure(figure: Figure, path: Path | str, *, command: str, data: str) -> list[Path]:
    """Write `path`.png, .pdf and .svg with the command and data that made them. Returns the paths.

    No date is written, so equal input gives equal files. A reader never meets half a file.
    """
    base = Path(path)
    base.parent.mkdir(parents=True, exist_ok=True)
    origin = f"made by: {command}; from: {data}"
    png = {"Title": base.name, "Description": origin, "Software": None}
    pdf = {"Title": base.name, "Subject": origin, "CreationDate": None, "Creator": "parscale"}
    svg = {"Title": base.name, "Description": origin, "Date": None, "Creator": "parscale"}
    written = []
    for suffix, metadata in (("png", png), ("pdf", pdf), ("svg", svg)):
        target = base.with_name(f"{base.name}.{suffix}")
        with replacing(target) as temporary, house_style():
            figure.savefig(temporary, format=suffix, metadata=metadata)
            figure.set_layout_engine("none")  # the axes stay where they are: laying out again costs a second
        written.append(target)
    return written


def law_look(law: Any) -> dict[str, Any]:
    """Colour and dash of a law, the same in every figure. Black and solid for other laws."""
    return LAW_LOOKS.get(type(law).__name__, {"color": BLACK, "linestyle": "-"})


def stream_looks(streams: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Colour and marker of each P: {P: {"color", "marker"}}. P = 1 is darkest."""
    values = sorted({int(p) for p in streams})
    ramp = mpl.colormaps[RAMP]
    spots = np.linspace(0.0, 0.82, max(len(values), 2))
    return {
        p: {"color": mpl.colors.to_hex(ramp(spots[i])), "marker": MARKERS[i % len(MARKERS)]}
        for i, p in enumerate(values)
    }


def size_ticks(axes: Axes, sizes: Sequence[float]) -> None:
    """Log axis of N with a labelled tick at each size, unless labels would touch.

    Sizes within 5% (the same backbone at another P) share one tick, at the smallest.
    """
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    width = axes.get_window_extent().width * 72 / axes.figure.dpi  # points
    ticks: list[float] = []
    for size in sorted(set(sizes)):
        if not ticks or size > ticks[-1] * 1.05:
            ticks.append(float(size))
    labels = dict(zip(ticks, count_labels(ticks), strict=True))

    def touch(one: float, other: float) -> bool:
        letters = (len(labels[one]) + len(labels[other])) / 2
        return bool(width * np.log(other / one) / np.log(high / low) < LETTER * (letters + 0.8))

    kept: list[float] = []
    for tick in ticks:
        if not kept or not touch(kept[-1], tick):
            kept.append(tick)
        elif (
            tick == ticks[-1] and len(kept) > 1
        ):  # the largest size keeps its label rather than its neighbour
            kept[-1] = tick
    axes.xaxis.set_major_locator(FixedLocator(kept))
    axes.xaxis.set_major_formatter(FixedFormatter([labels[tick] for tick in kept]))
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
