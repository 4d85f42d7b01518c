"""From loss to accuracy: a sigmoid with a floor at chance, and what a law of losses says of accuracy through it.

accuracy = chance + (ceiling - chance) / (1 + exp(slope (loss - middle))). Source of the form: Llama 3 (arXiv
2407.21783, section 3.2.1) and Bhagia et al. 2024 (arXiv 2412.04403), whose second step maps a loss to accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from scaling.data.any_table import as_frame
from scaling.fitting.fit import fit
from scaling.fitting.result import Fit
from scaling.laws.base import Array, Axis, Law, Range
from scaling.optimise.certificate import Status
from scaling.optimise.objectives import LeastSquares
from scaling.result_table import ResultTable
from scaling.shown import shown
from scaling.uncertainty.interval_methods import check_level

NOTHING = 1e-9  # an accuracy of 0 as a fit takes it, which wants positive values: no residual changes
BELOW = 0.01  # under chance by more than this, a point is below it


@dataclass(frozen=True)
class AccuracyLaw(Law):
    """accuracy = chance + (ceiling - chance) / (1 + exp(slope (nats - middle))). Chance and ceiling are the class's."""

    slope: float
    middle: float

    axes = ("nats",)
    axis_rules = {"nats": Axis(unit="nats per token", more_is_better=None)}
    nonlinear = {"slope": Range(0.5, 20.0, steps=6, upper=1e3), "middle": Range(0.5, 4.0, steps=8)}
    source = "arXiv 2407.21783, section 3.2.1; arXiv 2412.04403"
    chance = 0.0
    ceiling = 1.0

    def predict(self, nats: Any) -> Any:
        """The accuracy as a share, at a loss in nats per token."""
        odds = np.clip(self.slope * (nats - self.middle), -500, 500)
        return self.chance + (self.ceiling - self.chance) / (1 + np.exp(odds))


@dataclass(frozen=True, repr=False)
class AccuracyFit(ResultTable):
    """Accuracy by loss: `table` (slope, middle with intervals), `fit`, `verdict`, `.predict(loss)`."""

    table: pd.DataFrame  # index parameter, columns estimate, lower, upper
    verdict: str
    fit: Fit  # of the shares: its column loss is the accuracy
    chance: float
    ceiling: float
    level: float

    @property
    def status(self) -> Status:
        """How the fit ended."""
        return self.fit.status

    def predict(self, loss: Any, se: Any = 0.0, level: float | None = None) -> pd.DataFrame:
        """Accuracy (a share) at losses (n,): loss, accuracy, lower, upper. The interval is of one new model.

        se: standard errors of the losses, nats per token, where they are forecasts themselves.
        """
        level = self.level if level is None else level
        check_level(level)
        nats, error = np.broadcast_arrays(
            np.atleast_1d(np.asarray(loss, np.float64)), np.asarray(se, np.float64)
        )
        if not (np.isfinite(nats) & (nats > 0) & (error >= 0)).all():
            raise ValueError(f"loss={shown(loss)}: give nats per token, above 0, and se= of 0 or more")
        made = self.fit.predict(nats=nats, level=level)
        centre = np.asarray(made["loss"], np.float64)
        share = (centre - self.chance) / (self.ceiling - self.chance)
        steep = float(self.fit.law.slope) * (self.ceiling - self.chance) * share * (1 - share)  # type: ignore[attr-defined]
        from scipy import special

        through = special.ndtri(0.5 + level / 2) * steep * error
        half = [
            np.hypot(np.abs(np.asarray(made[end], np.float64) - centre), through)
            for end in ("new_lower", "new_upper")
        ]
        ends = np.clip(centre - half[0], 0, 1), np.clip(centre + half[1], 0, 1)
        return pd.DataFrame({"loss": nats, "accuracy": centre, "lower": ends[0], "upper": ends[1]})


def accuracy_by_loss(
    table: Any,
    *,
    loss: str = "loss",
    accuracy: str = "accuracy",
    chance: float = 0.0,
    ceiling: float = 1.0,
    groups: Any = None,
    items: str | None = None,
    level: float = 0.95,
) -> AccuracyFit:
    """Fit accuracy as a sigmoid of the loss, with its floor at `chance`, for one task or one average of tasks.

    Args:
        table: one row per model.
        loss: column of the losses, nats per token.
        accuracy: column of the accuracies, 0 to 1. If any is above 1, all are taken as per cent, with a note.
        chance: accuracy of a guess: 0.25 for four choices, 0 for generated code.
        ceiling: accuracy of the best model.
        groups: rows that share an offset, as in `scaling.fit`.
        items: column of the number of questions behind each accuracy. The variance of a share falls as one over it,
            so that a model with a tenth of the questions counts a tenth.
        level: of the intervals, between 0 and 1.

    Returns:
        An `AccuracyFit`. Accuracies below chance are named, because no sigmoid with that floor describes them.

    Raises:
        ValueError: for columns that are missing or not numbers, for accuracies below 0 or above the ceiling, for no
            questions, and for a chance that is not between 0 and the ceiling.
    """
    check_level(level)
    if not 0 <= chance < ceiling <= 1:
        raise ValueError(f"chance={chance:g}, ceiling={ceiling:g}: give shares, 0 <= chance < ceiling <= 1")
    frame = as_frame(table)
    nats, share, percent = _columns(frame, loss, accuracy)
    if (share > ceiling).any():
        raise ValueError(f"{accuracy}: {share.max():.3g} is beyond the ceiling, {ceiling:g}")
    law = type(
        "AccuracyLaw", (AccuracyLaw,), {"chance": chance, "ceiling": ceiling, "nonlinear": _ranges(nats)}
    )
    rows = pd.DataFrame({"nats": nats, "loss": np.maximum(share, NOTHING)})
    if isinstance(groups, str):
        groups = frame[groups].to_numpy()
    found = fit(law, rows, LeastSquares(), groups=groups, se=_errors(frame, items))
    below = int((share < chance - BELOW).sum())
    notes = [f"{found.certificate.status.value}: {found.certificate.detail}."]
    notes += [f"{accuracy} goes up to {100 * share.max():.1f}: taken as per cent."] if percent else []
    if below:
        where = 100 * share.min() if percent else share.min()
        notes.append(
            f"{below} of {share.size} accuracies are below chance ({chance:g}, the lowest {where:.3g}): a guess does "
            "better, and no sigmoid with that floor describes them."
        )
    span = f"losses {nats.min():.3f} to {nats.max():.3f}" + f", weighted by {items}" * (items is not None)
    notes.append(f"Root mean squared residual {found.rmse:.4f} over {share.size} models, {span}.")
    return AccuracyFit(found.intervals(level), "\n".join(notes), found, chance, ceiling, level)


def _errors(frame: pd.DataFrame, items: str | None) -> Array | None:
    """(n,) the standard error of each accuracy but for a factor that all share. None where nobody counted."""
    if items is None:
        return None
    counts = _numbers(frame, items)
    if (counts == 0).any():
        row = int(np.flatnonzero(counts == 0)[0])
        raise ValueError(f"{items} has 0 in row {row + 1}: an accuracy is of at least one question")
    return 1 / np.sqrt(counts)


def _columns(frame: pd.DataFrame, loss: str, accuracy: str) -> tuple[Array, Array, bool]:
    """Losses and accuracies as shares, and whether they were in per cent."""
    nats, share = _numbers(frame, loss), _numbers(frame, accuracy)
    if share.max() > 100:
        raise ValueError(f"{accuracy}: {share.max():g} is neither a share nor per cent")
    percent = bool(share.max() > 1)
    return nats, share / 100 if percent else share, percent


def _numbers(frame: pd.DataFrame, name: str) -> Array:
    """A column as float64, (n,). ValueError for one that is not there, and for what is no number of 0 or more."""
    if name not in frame:
        raise ValueError(f"no column {name!r}. There are {', '.join(map(str, frame.columns))}")
    values = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        value = "a missing value" if pd.isna(frame[name].iloc[row]) else shown(frame[name].iloc[row])
        raise ValueError(f"{name} has {value} in row {row + 1}: give numbers of 0 or more")
    return np.asarray(values)


def _ranges(nats: Array) -> dict[str, Range]:
    """Where the sigmoid may turn: within a few spreads of the losses."""
    wide = max(float(np.ptp(nats)), 0.05)
    low = max(float(nats.min()) - 3 * wide, 1e-3)
    slope = Range(0.1 / wide, 20 / wide, steps=8, upper=1e4 / wide)
    return {"slope": slope, "middle": Range(low, float(nats.max()) + 3 * wide, steps=10, upper=1e3)}
