"""The joint answer of several sweeps: a table of one-word answers, and in a sentence or two what they say of streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.report.card_notes import and_joined
from analysis.sweep.results import SweepResults
from scaling.data.groups import corpus_name
from scaling.data.runs import finished_runs
from scaling.data.units import value_text
from scaling.selection.verdict import Answer, Verdict

NUMBERS = (
    "In brackets: worth in times N, the share of the evidence for the law, and the mean error beyond the fitted sizes "
    "in nats per token."
)
_SAID = {
    "yes": "Streams help in {}.",
    "no": "Streams do not help in {}.",
    "cannot tell": "Whether streams help cannot be told in {}.",
}
_AXES = {"N": "size", "P": "P", "D": "tokens"}


def judged_rows(sweeps: Mapping[str, SweepResults]) -> dict[str, tuple[Verdict, pd.DataFrame]]:
    """Each verdict with its finished runs, by the sweep's name, and the corpus' too where a sweep has several."""
    return {
        f"{name}, {corpus_name(corpus)}" if len(one.verdicts) > 1 else name: (found, one.of(corpus))
        for name, one in sweeps.items()
        for corpus, found in one.verdicts.items()
    }


def joint_table(judged: Mapping[str, Verdict]) -> pd.DataFrame:
    """A row each question, a column each sweep: the answer and its number."""
    asked = zip(*(found.answers for found in judged.values()), strict=True)
    rows = [[" / ".join(dict.fromkeys(one.question for one in row)), *map(_cell, row)] for row in asked]
    return pd.DataFrame(rows, columns=["question", *judged])


def _cell(one: Answer) -> str:
    """Yes (1.40 N)."""
    word = one.answer.capitalize()
    if np.isnan(one.number):
        return word
    if one.unit == "times N":
        return f"{word} ({one.number:.2f} N)"
    if one.unit.startswith("AICc"):
        return f"{word} ({'<0.1%' if one.number < 1e-3 else f'{one.number:.0%}'})"
    return f"{word} ({one.number:+.4f})"


def joint_text(judged: Mapping[str, tuple[Verdict, pd.DataFrame]], sweeps: Mapping[str, SweepResults]) -> str:
    """In which sweeps streams help, and in what the sweeps differ."""
    parts = []
    for word, said in _SAID.items():
        names = [
            _with_range(name, found, runs)
            for name, (found, runs) in judged.items()
            if found.streams.answer == word and "streams" in found.streams.question
        ]
        parts += [said.format(and_joined(names))] if names else []
    return " ".join([*parts, _differences([finished_runs(one.runs) for one in sweeps.values()])])


def _with_range(name: str, found: Verdict, runs: pd.DataFrame) -> str:
    """A sweep as gpu (371k to 13.6M parameters; P = 4 is worth 1.40 N)."""
    known = [f"{range_text('N', runs)} parameters"] if range_text("N", runs) else []
    if found.streams.answer != "cannot tell" and (P := found.streams.P) is not None:
        known.append(f"P = {P:g} is worth {found.streams.number:.2f} N")
    return f"{name} ({'; '.join(known)})" if known else name


def range_text(axis: str, runs: pd.DataFrame) -> str:
    """25k to 407k, or one value. Empty where it is not known."""
    if axis not in runs or not runs[axis].notna().any():
        return ""
    low, high = (value_text(axis, float(end)) for end in (runs[axis].min(), runs[axis].max()))
    return low if low == high else f"{low} to {high}"


def contents_text(runs: pd.DataFrame) -> str:
    """What a sweep's runs are, for a heading: corpora by name and the range of sizes."""
    known = [corpus_name(str(name)) for name in runs["corpus"].unique()] if "corpus" in runs else []
    corpora = and_joined(known) if len(known) < 4 else f"{len(known)} corpora"
    size = range_text("N", finished_runs(runs))
    return ", ".join(filter(None, (corpora, f"{size} parameters" if size else "")))


def _differences(tables: Sequence[pd.DataFrame]) -> str:
    """The sweeps differ in size, tokens (32M and 4M) and corpus."""
    found = []
    for axis, what in _AXES.items():
        ranges = [range_text(axis, runs) for runs in tables]
        if len(set(ranges)) > 1:
            values = f" ({and_joined([one or 'unknown' for one in ranges])})" if axis != "N" else ""
            found.append(what + values)
    corpora = {frozenset(runs["corpus"].astype(str)) if "corpus" in runs else frozenset() for runs in tables}
    found += ["corpus"] if len(corpora) > 1 else []
    return (
        f"The sweeps differ in {and_joined(found)}."
        if found
        else "Their sizes, P, tokens and corpora are the same."
    )
