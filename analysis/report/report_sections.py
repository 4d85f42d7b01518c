"""The sections of a report: gains, recipes and costs, each added to a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from analysis.costs.hardware import A100
from analysis.inference_cost import GIB, estimate
from analysis.output.html_page import Page, as_sentence
from analysis.output.html_table import said_once
from analysis.report import at_a_glance
from analysis.report.gains_text import (
    CONTEXT_HEAD,
    FORMATS,
    OF_PARTS,
    one_stream_words,
    parts_side_by_side,
    seed_scatter_by_part,
    seed_scatter_text,
    shares_text,
    shown_gains,
)
from analysis.sweep import recipe_tables
from analysis.sweep.results import SweepResults
from scaling.allocation.searched_minimum import searched_minima
from scaling.data.searched import settings_searched
from scaling.selection.gains_by_context import changes, context_worth, noise, parts
from scaling.selection.paired_gains import noise_over_seeds
from scaling.selection.pooled_k import pooled_k

GAINED = (
    "Loss of P streams minus that of one at the same size, corpus and seed (same initialisation, same data "
    "order), in nats per token, averaged over seeds with Student's 95% interval. Parameters alone: what the "
    "parameters that streams bring would change, by L = E + (A / N)^alpha fitted to the runs of P = 1, with its 95% "
    "profile interval. Streams are worth more than their parameters where the change lies below that. k: that of "
    "ParallelLaw for which this change alone would come out. Where it moves with P or N, that law has the wrong form."
)
COPIED = (
    "Validation loss split by whether the target could be copied from its window: the pair of its predecessor "
    "and itself occurred there before, the token alone did, or neither. Small models learn to copy all at once, "
    "and chance decides when. A change in repeated pairs alone shows when that was. The start of a window "
    "shows what a prefix is worth where attention has little else to use."
)
AVERAGED = (
    "Equal-weight averages of the predictions of m of a run's streams. Proposition 1 of the paper says "
    "that the gain is (L1 - E)(1 - rho)(1 - 1/m): points off their line speak against that form, and "
    "a small 1 - rho says that the streams predict almost the same."
)


def add_gains(page: Page, sweep: SweepResults, known: Mapping[str, Callable[[], Figure]]) -> None:
    """Each size and P against P = 1, and how far seeds scatter."""
    table = sweep.gained
    if not len(table):
        return
    page.text(GAINED)
    page.figure(known["gains"](), "Change of the loss from P = 1, and what parameters alone would give.")
    if "pair_k" in known:
        page.figure(known["pair_k"](), at_a_glance.FALLING)
    shown, same = said_once(shown_gains(table), FORMATS, ("size", "P"))
    page.table(shown, same, FORMATS)
    for words in (
        *one_stream_words(sweep.runs),
        *map(str, pooled_k(sweep.runs)),
        *map(seed_scatter_text, noise_over_seeds(sweep.runs).to_dict("records")),
    ):
        page.text(words)


SEARCHED = (
    "Validation loss against what was searched. A curve is a parabola in the logarithm of the setting with a skew, through "
    "the values around the best; the diamond is its minimum, the bar its 95% interval. Hollow: values that ended above "
    "a uniform guess over the vocabulary, which the curve leaves out. On the upper edge: values that "
    "diverged, or whose runs were stopped early."
)
_MINIMUM = [
    "corpus",
    "recipe",
    "size",
    "P",
    "setting",
    "best",
    "estimate",
    "lower",
    "upper",
    "loss",
    "runs",
    "left_out",
    "note",
]


def add_search(page: Page, sweep: SweepResults, known: Mapping[str, Callable[[], Figure]]) -> None:
    """What a searched setting's best value is at each point."""
    for name in (name for name in known if name.startswith("searched")):
        page.figure(known[name](), SEARCHED)
    table = searched_minima(sweep.table)
    shown = dict.fromkeys(("best", "estimate", "lower", "upper"), ".3g")
    names = [c for c in _MINIMUM if c in table and (c != "left_out" or table[c].any())]
    page.table(table[names], formats={**shown, "loss": ".4f", "P": "g"})


def add_early_ends(page: Page, sweep: SweepResults) -> None:
    """Runs that did not come to their end: when and why."""
    table = sweep.table[sweep.table["ended_why"].notna()]
    names = [*settings_searched(sweep.table), "ended_step", "ended_why"]
    shown = [name for name in ("corpus", "size", "P", "seed", *names) if name in table]
    page.table(table[shown], formats={"P": "g", "ended_step": ".0f"})


def add_gains_by_context(page: Page, sweep: SweepResults, known: Mapping[str, Callable[[], Figure]]) -> None:
    """The change with P in what can be copied, and in what cannot."""
    page.text(COPIED)
    page.figure(known["context"](), "Change of the loss from P = 1 by what the window held before.")
    if sweep.context is None:
        return
    wide, same = said_once(parts_side_by_side(changes(sweep.context)), keep=("size", "P"))
    forms = dict.fromkeys(parts(sweep.context), "+.4f")
    page.table(wide, f"{as_sentence(CONTEXT_HEAD)} {same}".strip(), forms)
    for words in (shares_text(sweep.context), *seed_scatter_by_part(noise(sweep.context))):
        page.text(as_sentence(words))
    if len(found := context_worth(sweep.context)):
        ends = dict.fromkeys(("k", "lower", "upper"), ".4f")
        page.table(said_once(found, keep=("part",))[0], OF_PARTS.format(95), ends)


def add_averaged_streams(page: Page, known: Mapping[str, Callable[[], Figure]]) -> None:
    """What averaging streams gains, against Proposition 1."""
    page.text(AVERAGED)
    page.figure(known["ensemble"](), "Gain of averaging m streams over one; bars: 95% over sequences.")


CURVES = {
    "beside-one": "Training loss of P streams above that of one on the same batches; below zero is ahead.",
    "held-out": "Validation loss during training.",
    "training": "Training loss; faint: each run.",
}
BESIDE = (
    "P streams minus one on the same batches: from how many tokens on they are ahead (and the range that "
    "noise leaves), and the gap at the end in nats per token with half of its 95% interval. The noise is "
    "that of the batches. With one random seed it does not include the scatter between seeds."
)
CHOSEN = "Validation loss by P of what was tuned from one checkpoint. A frozen backbone lets P be chosen at inference."
FROZEN = (
    "What P streams gain over the frozen backbone alone, and how much of it averaging their predictions "
    "gains over one of them, in nats per token with half of a 95% interval. What averaging does not gain "
    "is what one stream's own prefix does."
)


def add_training_curves(page: Page, sweep: SweepResults, known: Mapping[str, Callable[[], Figure]]) -> None:
    """Curves of training, and in words where each P passes P = 1."""
    for name, caption in CURVES.items():
        if name in known:
            page.attempt(name, lambda name=name, caption=caption: page.figure(known[name](), caption))  # type: ignore[misc]
    if "beside-one" in known:
        page.text(BESIDE)
        page.table(recipe_tables.crossings(sweep), formats={"P": "g", "gap": "+.4f", "noise": ".4f"})


def add_tuned_backbones(page: Page, sweep: SweepResults, known: Mapping[str, Callable[[], Figure]]) -> None:
    """The loss of one backbone by P, and what averaging has to do with it."""
    if "by-P" in known:
        page.figure(known["by-P"](), CHOSEN)
    table = recipe_tables.gains_over_backbone(sweep)
    if len(table):
        page.text(FROZEN)
        page.table(table, formats=dict.fromkeys(table.columns[2:], ".2g") | {"P": "g"})


_COSTS = ["size", "P", "N", "wall_s", "tokens_per_s", "peak_memory_bytes", "precision"]
_SHAPE = ["width", "ffn", "layers", "heads", "kv_heads", "vocab"]
TOOK = "What each run took in training: time by the clock, tokens per second of it, the most memory held at once."
MODELLED = "Serving them, by the cost model, on {}: batch 1, 512 tokens in, 512 out."


def add_training_costs(page: Page, sweep: SweepResults) -> None:
    """What the runs took."""
    measured = [c for c in _COSTS if c in sweep.table]
    if "wall_s" not in measured:
        page.missing(["the runs hold no wall_s: nothing measured in training"])
        return
    table = at_a_glance.by_size(sweep.table)[measured].rename(
        columns={"peak_memory_bytes": "peak_memory_gib"}
    )
    if "peak_memory_gib" in table:
        table["peak_memory_gib"] = table["peak_memory_gib"] / GIB
    whole = dict.fromkeys(("N", "P", "tokens_per_s"), ",.0f")
    table, same = said_once(table, whole, set(map(str, table)) - {"N", "precision"})
    page.table(table, f"{TOOK} {same}".strip(), {**whole, "wall_s": ",.1f", "peak_memory_gib": ".2f"})


def add_serving_costs(page: Page, sweep: SweepResults) -> None:
    """What serving the runs' shapes would take, by the cost model."""
    lacking = [c for c in _SHAPE if c not in sweep.runs]
    if lacking:
        page.missing([f"the runs hold no {', '.join(lacking)}: no inference cost"])
        return
    runs = sweep.runs
    if "N_active" in runs and (mixture := runs["N_active"] < runs["N"]).any():
        page.missing(["no inference cost: mixtures of experts are not modelled"])
        runs = runs[~mixture]
    known = [c for c in (*_SHAPE, "prefix_tokens") if c in runs]
    shapes = runs.drop_duplicates(["N", "P"]).dropna(subset=[*known, "N", "P"])
    if not len(shapes):
        return
    given: dict[str, Any] = {name: shapes[name].to_numpy(float) for name in (*known, "P")}
    cost = estimate(**given, input_tokens=512, output_tokens=512, hardware=A100)
    about = shapes[[c for c in ("size", "P", "N") if c in shapes]]
    table = about.assign(memory_mib=1024 * cost.memory_bytes / GIB, latency_ms=1e3 * cost.latency_s)
    page.table(
        table, MODELLED.format(A100.name), {"N": ",.0f", "P": "g", "memory_mib": ",.1f", "latency_ms": ",.2f"}
    )
