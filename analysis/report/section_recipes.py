"""What a report says of curves and recipes: P beside one stream, and P chosen on one backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from analysis.output.html_page import Page
from analysis.sweep import recipe_tables
from analysis.sweep.results import View

CURVES = {
    "training": "Training loss; faint: each run.",
    "held-out": "Held-out loss on the way.",
    "beside-one": "Training loss of P streams above that of one on the same batches; below zero is ahead.",
}
BESIDE = (
    "P streams beside one on the same batches: from how many tokens on they are ahead (and the range that "
    "noise leaves), and the gap at the end in nats per token with half of its 95% interval. The noise is "
    "that of the batches; with one seed it does not know how another would have ended."
)
CHOSEN = "Held-out loss by P of what was tuned from one checkpoint; frozen, it lets P be chosen at inference."
FROZEN = (
    "What P streams gain over the frozen backbone alone, and how much of it averaging their predictions "
    "gains over one of them, in nats per token with half of a 95% interval. What averaging does not gain "
    "is what one stream's own prefix does."
)


def curves(page: Page, view: View, known: Mapping[str, Callable[[], Figure]]) -> None:
    """Curves of training, and in words where each P passes P = 1."""
    for name, caption in CURVES.items():
        if name in known:
            page.attempt(name, lambda name=name, caption=caption: page.figure(known[name](), caption))  # type: ignore[misc]
    if "beside-one" in known:
        page.text(BESIDE)
        page.table(recipe_tables.passings(view), formats={"P": "g", "gap": "+.4f", "noise": ".4f"})


def chosen(page: Page, view: View, known: Mapping[str, Callable[[], Figure]]) -> None:
    """The loss of one backbone by P, and what averaging has to do with it."""
    if "by-P" in known:
        page.figure(known["by-P"](), CHOSEN)
    table = recipe_tables.over_backbone(view)
    if len(table):
        page.text(FROZEN)
        page.table(table, formats=dict.fromkeys(table.columns[2:], ".2g") | {"P": "g"})
