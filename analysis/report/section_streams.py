"""What a report says of streams: what they gain at each size, and what averaging them gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from analysis.output.html_page import Page
from analysis.report import context_text
from analysis.report.gains_text import FORMATS, grounds, scatter, telling
from analysis.sweep.results import View
from scaling.selection.paired_gains import gains, noise_over_seeds
from scaling.selection.pooled_k import pooled_k

GAINED = (
    "Loss of P streams minus that of one at the same size, corpus and seed (same initialisation, same data "
    "order), in nats per token, averaged over seeds with Student's 95% interval. by_parameters: what the "
    "parameters that streams bring would change alone, by the law of N fitted to the runs of P = 1. Streams "
    "are worth more than their parameters where the change lies below that. k: that of Eq 5 for which this "
    "change alone would come out; where it moves with P or N, that law has the wrong form."
)
COPIED = (
    "Held-out loss split by whether the target could be copied from its window: the pair of its predecessor "
    "and itself stood there before, the token alone did, or neither. Small models learn to copy all at once, "
    "sooner or later by chance: a change in repeated pairs alone tells when that was. The start of a window "
    "shows what a prefix is worth where attention has little else to rest on."
)
AVERAGED = (
    "Equal-weight averages of the predictions of m of a run's streams. Proposition 1 of the paper says "
    "that the gain is (L1 - E)(1 - rho)(1 - 1/m): points off their line speak against that form, and "
    "a small 1 - rho says that the streams predict almost the same."
)


def gained(page: Page, view: View, known: Mapping[str, Callable[[], Figure]]) -> None:
    """Each size and P beside P = 1, and how far seeds scatter."""
    table = gains(view.runs).table
    if not len(table):
        return
    page.heading("What streams gained at each size")
    page.text(GAINED)
    page.figure(known["gains"](), "Change of the loss from P = 1 beside what parameters alone would give.")
    page.figure(known["pair_k"](), "The k of Eq 5 for each pair alone: one line where it holds.")
    page.verbatim(grounds(view.runs))
    page.table(telling(table), formats=FORMATS)
    for words in (
        *map(str, pooled_k(view.runs)),
        *map(scatter, noise_over_seeds(view.runs).to_dict("records")),
    ):
        page.text(words)


def by_what_came_before(page: Page, view: View, known: Mapping[str, Callable[[], Figure]]) -> None:
    """The change with P in what can be copied, and in what cannot."""
    page.heading("Where in the text streams gain")
    page.text(COPIED)
    page.figure(known["context"](), "Change of the loss from P = 1 by what the window held before.")
    if view.context is not None:
        page.verbatim(context_text.text(view.context))


def averaged(page: Page, known: Mapping[str, Callable[[], Figure]]) -> None:
    """What averaging streams gains, against Proposition 1."""
    page.heading("Streams averaged")
    page.text(AVERAGED)
    page.figure(known["ensemble"](), "Gain of averaging m streams over one; bars: 95% over sequences.")
