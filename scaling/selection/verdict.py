"""What runs say, in three answers: do streams help, is it this law, does it extrapolate.

Every page, figure and command that judges a table shows what `verdict` found, so they cannot differ.
The rules, and why they are these, are in docs/guides/fit.md.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd

from scaling.data.any_table import as_runs
from scaling.data.query import split
from scaling.data.runs import usable
from scaling.data.units import p_text, value_text
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.fitting.summary import parameter_table
from scaling.laws import Arms
from scaling.laws.base import LawForm
from scaling.optimise.multi_start import FitError
from scaling.optimise.objectives import Objective
from scaling.selection.backtest import Backtest, backtest
from scaling.selection.compare import NONE, STRONG, Comparison, compare, laws_of, main_axis
from scaling.selection.describe import law_to_fit
from scaling.selection.stream_worth import UNKNOWN, Worth, axis_worth, worth_of_streams
from scaling.uncertainty.adequacy import DOUBT, Adequacy, adequacy
from scaling.uncertainty.interval_methods import check_level
from scaling.uncertainty.size_effects import OFF

Word = Literal["yes", "no", "cannot tell"]
ROWS = 20_000  # of which laws are compared and held out: of more, evenly spaced ones
SHORT = 0.15  # by which intervals may hold fewer unseen runs than they promise
SYSTEMATIC = 2.0  # times its own error: unseen runs missed by more, all to one side, are not missed by chance
FEW_FITTED = 3  # values of N below which a law of it, of three parameters, is a guess
FEW_UNSEEN = 3  # runs below which nothing is said of extrapolation


@dataclass(frozen=True)
class Answer:
    """One answer: to `question`, "yes", "no" or "cannot tell", with its number and what it means.

    number, lower, upper: in `unit`, nan where there is none. text: the reason, one or two clauses. P: the number of
    streams whose worth is answered, None where there is none.
    """

    question: str
    answer: Word
    number: float
    lower: float
    upper: float
    unit: str
    text: str
    P: float | None = None

    @property
    def line(self) -> str:
        """Question and answer in one line."""
        return f"{self.question} {self.answer.capitalize()}: {self.text}."


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """The three answers about a table, and what they rest on: nothing of it need be computed again.

    streams, law, extrapolates: the answers. fit: of the law in question. parameters: its constants with intervals
    at `level`. comparison: with its rivals. backtest: without the largest sizes. adequacy: of its residuals.
    k_by_P: the k that each P asks for. What could not be made is None, and the answer says why.
    """

    streams: Answer
    law: Answer
    extrapolates: Answer
    fit: Fit | None
    parameters: pd.DataFrame | None
    comparison: Comparison | None
    backtest: Backtest | None
    adequacy: Adequacy | None
    k_by_P: pd.DataFrame
    level: float
    basis: str  # law, objective, rows

    @property
    def answers(self) -> tuple[Answer, Answer, Answer]:
        """Streams, law, extrapolates."""
        return self.streams, self.law, self.extrapolates

    @property
    def rival(self) -> LawForm | None:
        """The law that its answer compares the law in question with; None where none was."""
        if self.fit is None or self.comparison is None:
            return None
        gaps = _gaps(self.comparison).drop(self.fit.form.__name__, errors="ignore")
        return self.comparison.fits[str(gaps.idxmin())].form if len(gaps) else None

    @property
    def lines(self) -> tuple[str, str, str]:
        """The answers as three plain lines."""
        return self.streams.line, self.law.line, self.extrapolates.line

    @property
    def text(self) -> str:
        """The three lines, and one that says what they rest on."""
        return "\n".join((*self.lines, self.basis))

    def to_dict(self) -> dict[str, Any]:
        """The answers by name, as JSON takes them: None for a number that is missing or infinite."""
        names = ("streams", "law", "extrapolates")
        found = {name: asdict(one) for name, one in zip(names, self.answers, strict=True)}
        for one in found.values():
            one |= {n: one[n] if np.isfinite(one[n]) else None for n in ("number", "lower", "upper")}
        return {**found, "level": self.level, "basis": self.basis}

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(one.question)}</th><td><b>{one.answer}</b></td>"
            f"<td style='text-align:left'>{escape(one.text)}</td></tr>"
            for one in self.answers
        )
        return f"<table>{rows}</table><p>{escape(self.basis)}</p>"


def verdict(
    runs: Any,
    law: LawForm | Arms | str | None = None,
    *,
    by: str | None = None,
    objective: Objective | str | None = None,
    weights: Any = None,
    se: Any = None,
    groups: Any = None,
    level: float = 0.95,
) -> Any:
    """Three answers about a table of runs or a fit: do streams help, is it this law, does it extrapolate.

    Args:
        runs: any table that `scaling.fit` takes, or a `Fit`.
        law: the law in question. The default is the law that `describe` puts first: ParallelLaw, ParallelDataLaw with
            D, ChinchillaLaw or DenseLaw without P.
        by: a column whose values are judged separately.
        objective: as of `scaling.fit`.
        weights: how often each row counts, as of `scaling.fit`.
        se: standard errors of the losses, as of `scaling.fit`.
        groups: of the rows, as of `scaling.fit`.
        level: of the intervals, between 0 and 1.

    Returns:
        A `Verdict`, or with `by` a dict of them. If no law can be fitted the answers are "cannot tell", with the reason.

    Raises:
        ValueError: for anything that is not a table of runs or a fit.

    Examples:
        >>> pile = scaling.published("losses").query("corpus == 'pile'")
        >>> verdict = scaling.verdict(pile, "parallel", objective="least-squares")
        >>> print(verdict.streams.answer, verdict.law.answer, verdict.extrapolates.answer, sep=", ")
        yes, no, no
    """
    check_level(level)
    if isinstance(runs, Fit):
        return _of_fit(runs, level)
    table = as_runs(runs, "runs")
    if by is not None:
        how: Any = {"objective": objective, "weights": weights, "se": se, "groups": groups, "level": level}
        return {name: verdict(part, law, **how) for name, part in split(table, by, "the table")}
    if len(table) and not usable(table).any():
        return without_fit(f"none of the {len(table)} runs finished", level)
    try:
        chosen = law or law_to_fit(table)
        return _of_fit(fit(chosen, table, objective, weights=weights, se=se, groups=groups), level)
    except FitError as error:
        return without_fit(str(error), level)


def without_fit(why: str, level: float = 0.95) -> Verdict:
    """The verdict on runs that no law could be fitted to."""
    questions = ("Do streams help?", "Is it this law?", "Does it extrapolate?")
    one, two, three = (Answer(q, "cannot tell", *UNKNOWN, "", why) for q in questions)
    return Verdict(
        one,
        two,
        three,
        None,
        None,
        None,
        None,
        None,
        pd.DataFrame(columns=["P", "sizes", "k"]),
        level,
        "no fit",
    )


def _of_fit(one: Fit, level: float) -> Verdict:
    """The verdict on a fit and the rows that it keeps."""
    parameters = parameter_table(one, level)
    worth = worth_of_streams(one, parameters, level) if "P" in one.law.axes else axis_worth(one, level)
    comparison, tested = _questioned(one, level)
    judged = adequacy(one)
    objective = one.problem.objective
    basis = (
        f"By {one.form.__name__} on {one.loss.size} runs; {100 * level:g}% intervals. "
        f"Objective: {objective.name} ({objective.meaning})."
    )
    return Verdict(
        _streams(one, worth), _law(one, comparison, judged, worth), _extrapolates(one, tested, level),
        one, parameters, _found(comparison), _found(tested), judged, worth.by_P, level, basis,
    )  # fmt: skip


def _questioned(one: Fit, level: float) -> tuple[Comparison | str, Backtest | str]:
    """A fit compared with its rivals, and without its largest sizes. Of each the reason where there is none."""
    if not one.determined:
        return (f"{one.status}, {one.certificate.detail}",) * 2
    table, given = _table_of(one)
    objective = one.problem.objective
    return _tried(lambda: _compared(one, table, given)), _tried(
        lambda: backtest(one.form, table, None, objective, level, **given, once=True)
    )


def _tried(make: Any) -> Any:
    """What `make` returns, or the reason why it cannot."""
    try:
        return make()
    except ValueError as error:
        return str(error)


def _found(tried: Any) -> Any:
    """What was made; None where there is only a reason."""
    return None if isinstance(tried, str) else tried


def _table_of(one: Fit) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The rows of a fit as a table, ROWS at most, and how they were counted: weights, se, groups."""
    table = pd.DataFrame({**(one.runs or {}), **one.axes, "loss": one.loss, "_w": one.problem.w})
    spread = np.broadcast_to(1 / np.asarray(one.problem.scale), one.loss.shape)
    table["_se"] = spread * (one.loss if one.problem.objective.log else 1.0)
    given: dict[str, Any] = {}
    if not (one.problem.w == 1).all():
        given["weights"] = "_w"
    if np.ptp(spread) > 0:
        given["se"] = "_se"
    if one.grouping == OFF:
        given["groups"] = False
    elif one.groups is not None and one.grouping not in ("size", "cell"):
        table["_group"] = np.asarray(one.groups).astype(str)
        given["groups"] = "_group"
    places = np.linspace(0, len(table) - 1, min(len(table), ROWS)).round().astype(int)
    return table.iloc[places].reset_index(drop=True), given


def _compared(one: Fit, table: pd.DataFrame, given: dict[str, Any]) -> Comparison:
    """The law compared with every registered one that its rows allow."""
    try:
        rivals = laws_of(table)
    except FitError:
        rivals = []
    return compare([one.form, *rivals], table, one.problem.objective, main_axis(one.law), **given)


# ---- the answers ---------------------------------------------------------------------------------
def _streams(one: Fit, worth: Worth) -> Answer:
    """Whether streams, or what else the law has, help."""
    number = (worth.number, worth.lower, worth.upper)
    return Answer(worth.question, worth.answer, *number, worth.unit, worth.text, worth.P)


def _law(one: Fit, comparison: Comparison | str, judged: Adequacy, worth: Worth) -> Answer:
    """Whether the law is the one among its rivals, and leaves nothing but noise."""
    name = one.form.__name__
    question = f"Is it {name}?"
    if not one.determined:
        return Answer(question, "cannot tell", *UNKNOWN, "", f"{one.status}, {one.certificate.detail}")
    misses = [
        f"its errors {what} ({p_text(p)})"
        for what, p in ((f"follow a pattern in {' and '.join(one.law.axes)}", judged.structure_p),
                        ("exceed the spread over random seeds", judged.replicate_p))
        if p < DOUBT
    ]  # fmt: skip
    gap, share, rival = _support(comparison, name)
    compared = [rival] if np.isfinite(share) else ["no AICc from so few runs"]
    parts = compared + misses if gap >= STRONG or not misses else misses + compared
    if gap >= STRONG or misses:
        word: Word = "no"
    elif not np.isfinite(share) or gap > NONE or _alone(comparison) or _tied(comparison, name):
        word = "cannot tell"
    else:
        word = "yes"
    unit = "AICc weight among the laws compared"
    said = "; ".join(parts + ([worth.falls] if worth.falls else []))
    return Answer(question, word, share, *UNKNOWN[1:], unit, said)


def _percent(share: float) -> str:
    """A share in words that need no exponent."""
    return "less than 0.1%" if share < 1e-3 else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _support(comparison: Comparison | str, name: str) -> tuple[float, float, str]:
    """AICc above the best, weight of evidence, and the nearest rival in words. nan where there is none."""
    gaps = _gaps(comparison)
    if name not in gaps:
        return np.nan, np.nan, ""
    weight = np.exp(-gaps / 2)
    others = gaps.drop(name)
    if others.empty:
        return 0.0, 1.0, "there is no rival to compare it with"
    nearest, share = str(others.idxmin()), float(weight[name] / weight.sum())
    apart = float(others[nearest] - gaps[name])
    fits = "far better" if apart <= -STRONG else "better" if apart < -NONE else "about as well"
    side = f"{nearest} fits {fits}" if apart < NONE else f"{nearest}, the nearest rival, fits worse"
    said = f"{side} (AICc {abs(apart):.1f} {'lower' if apart < 0 else 'higher'}; {_percent(share)} of the evidence is for {name})"
    return float(gaps[name]), share, said


def _gaps(comparison: Comparison | str) -> pd.Series[float]:
    """AICc above the best by law, of the laws that have one."""
    if not isinstance(comparison, Comparison):
        return pd.Series(dtype=float)
    return comparison.ranks["delta_aicc"].dropna()


def _alone(comparison: Comparison | str) -> bool:
    """Whether there is no rival to compare a law with."""
    return len(_gaps(comparison)) < 2


def _tied(comparison: Comparison | str, name: str) -> bool:
    """Whether a rival is as near as AICc can tell."""
    gaps = _gaps(comparison)
    return bool((gaps.drop(name) - gaps[name] <= NONE).any())


def _extrapolates(one: Fit, tested: Backtest | str, level: float) -> Answer:
    """Whether the law fitted without the largest sizes predicts them."""
    question, unit = "Does it extrapolate?", f"mean error, {one.reading.loss_unit}"
    if isinstance(tested, str):
        return Answer(question, "cannot tell", *UNKNOWN, unit, tested)
    last, points = tested.table.iloc[0], tested.points
    below, above = (float((points[end] - points.loss).mean()) for end in ("new_lower", "new_upper"))
    number = (float(last.bias), below, above, unit)
    chance = last.rmse <= SYSTEMATIC * last.own_rmse
    up_to = f"fitted up to {tested.by} = {value_text(tested.by, float(tested.table.index[0]))}"
    missed = _missed(last, one.reading.loss_unit)
    if not np.isfinite([below, above]).all():
        side = "end" if np.isinf([below, above]).all() else "upper end" if np.isfinite(below) else "lower end"
        why = f"{up_to}, its {100 * level:g}% prediction intervals have no {side}; {missed}"
        return Answer(question, "cannot tell", *number, why)
    few, narrow = last.levels < FEW_FITTED, last.coverage < level - SHORT
    word: Word = "yes" if chance else "cannot tell"
    if last.test < FEW_UNSEEN or few:
        word = "cannot tell"
    elif narrow or last.r2 < 0 or (last.one_sided and not chance):
        word = "no"
    held = _held(
        points, word, f"its {100 * level:g}% prediction intervals", f"({below:+.4f} to {above:+.4f})"
    )
    worse = [f"their mean predicts them better (R2 {last.r2:.3g})"] if last.r2 < 0 and last.test > 1 else []
    parts = [held, missed, *worse] if narrow and word == "no" else [missed, *worse, held]
    first = f"{last.levels:.0f} values of {tested.by} are too few to fit; " if few else ""
    return Answer(question, word, *number, f"{first}{up_to}, {'; '.join(parts)}")


def _missed(last: Any, unit: str) -> str:
    """How far the unseen runs lay from their predictions, and to which side, in words."""
    side = "lower" if last.bias < 0 else "higher"
    times = f"(errors {last.rmse / last.own_rmse:.1f} times those of the fitted runs)"
    if last.test == 1:
        return f"the run beyond had a loss {abs(last.bias):.4f} {unit} {side} than predicted {times}"
    runs = f"all {last.test:.0f} runs" if last.one_sided else f"the {last.test:.0f} runs"
    return (
        f"{runs} beyond had {side} losses than predicted, by {abs(last.bias):.4f} {unit} on average {times}"
    )


def _held(points: pd.DataFrame, word: Word, intervals: str, ends: str) -> str:
    """How many unseen runs the prediction intervals cover, in words. Where the answer is no, all for their width alone."""
    runs, held = len(points), int(points["covered"].sum())
    every = f"all {runs}" if runs > 1 else "it"
    if held == runs and word == "no":
        return f"{intervals} are so wide {ends} that they cover {every} nevertheless"
    if held == runs:
        return f"{intervals} {ends} cover {every}"
    return f"{intervals} {ends} cover " + (
        f"{'only ' * (word == 'no')}{held} of {runs}" if held else f"none of {runs}"
    )
