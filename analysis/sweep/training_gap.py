"""P streams against one on the same text: from how many tokens on they are ahead, and how sure that is.

Runs of one seed read the same batches in the same order whatever P, so their losses are compared point
by point: what one batch finds hard cancels. The noise is that of the batches. With one seed it does
not know how another seed would have ended.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from scaling.data.units import count_text

POINTS = 9  # logged points under the running median, which keeps a steep start where it is
SMOOTH = 3  # medians averaged, for the eye
TAIL = 0.1  # share of the run, at its end, whose mean gap is the end's
SURE = 2.0  # standard errors
Floats = NDArray[np.float64]
LEAST = 6  # points below which no noise is stated
_MEDIAN = 1.2533  # standard error of a median in units of the mean's


def gaps(curves: pd.DataFrame, column: str, by: Sequence[str] = ()) -> pd.DataFrame:
    """Loss of each P > 1 minus that of P = 1 at the same tokens of the same seed, averaged over seeds.

    curves: P, tokens, the loss column, the columns `by`, and seed where there are several. Columns of
    the answer: those of `by`, P, tokens, gap (nats per token), smooth (running median), se (its
    standard error by the scatter from point to point; missing where there are too few).
    """
    known = curves[curves[column].notna()] if column in curves else curves.iloc[:0]
    keys = [*by, *(["seed"] if "seed" in known else []), "tokens"]
    base = known[known["P"] == 1].groupby(keys, as_index=False, observed=True)[column].mean()
    more = known[known["P"] > 1].groupby([*keys, "P"], as_index=False, observed=True)[column].mean()
    both = more.merge(base, on=keys, suffixes=("", "_one"))
    both["gap"] = both[column] - both[f"{column}_one"]
    parts = [pd.DataFrame(columns=[*by, "P", "tokens", "gap", "smooth", "se"])]
    for _, rows in both.groupby([*by, "P"], sort=False):
        mean = rows.groupby([*by, "P", "tokens"], as_index=False)["gap"].mean().sort_values("tokens")
        parts.append(_smoothed(mean))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _smoothed(rows: pd.DataFrame) -> pd.DataFrame:
    """Running median and its standard error; half the mean square of steps is the noise's variance."""
    window = rows["gap"].rolling(POINTS, center=True, min_periods=1)
    steps = rows["gap"].diff().pow(2).rolling(2 * POINTS, center=True, min_periods=1).mean()
    error = _MEDIAN * np.sqrt(steps / 2 / window.count())
    smooth = window.median().rolling(SMOOTH, center=True, min_periods=1).mean()
    return rows.assign(smooth=smooth, se=error if len(rows) >= LEAST else np.nan)


def passing(table: pd.DataFrame, by: Sequence[str] = ()) -> pd.DataFrame:
    """A row for each curve of `gaps`: where it passes P = 1, and its gap at the end.

    Columns: those of `by`, P, tokens (from which on it is ahead; missing where it is not), low and high
    (last point surely behind, first surely ahead for good; high missing where that does not come),
    gap and noise (mean over the last tenth, and half of its 95% interval), when (it is ahead, in words).
    """
    parts = []
    for _, rows in table.groupby([*by, "P"], sort=False):
        first = {name: rows[name].iloc[0] for name in (*by, "P")}
        parts.append(first | _passed(rows.sort_values("tokens")))
    columns = [*by, "P", "tokens", "low", "high", "gap", "noise", "when"]
    return pd.DataFrame(parts, columns=columns)


def _passed(rows: pd.DataFrame) -> dict[str, object]:
    """One curve."""
    tokens, gap, smooth, se = (rows[c].to_numpy(float) for c in ("tokens", "gap", "smooth", "se"))
    end, noise = _end(gap)
    found: dict[str, object] = {"tokens": np.nan, "low": np.nan, "high": np.nan, "gap": end, "noise": noise}
    apart = np.nan_to_num(noise)
    if end >= apart:
        return found | {"when": "not within the run"}
    if end > -apart:
        return found | {"when": "level within noise"}
    # The place that splits the run best into behind and ahead: the sum of gaps before it is largest.
    place = int(np.argmax(np.concatenate([[0.0], np.cumsum(gap)[:-1]])))
    margin = SURE * np.nan_to_num(se)
    behind, unsure = np.flatnonzero(smooth - margin > 0), np.flatnonzero(smooth + margin >= 0)
    low = min(behind[-1] if len(behind) else 0, place)
    high = max(unsure[-1] + 1 if len(unsure) else 0, place)
    found |= {"tokens": tokens[place], "low": tokens[low]}
    found["high"] = tokens[high] if high < len(tokens) else np.nan
    return found | {"when": _when(tokens, low, place, high, known=not np.isnan(se).all())}


def _when(tokens: Floats, low: int, place: int, high: int, *, known: bool) -> str:
    """Where a curve passes, with the range that noise leaves."""
    if not place and (not high or not known):
        return "from the start"
    if not place:
        return f"from the start (to {_short(tokens[high]) if high < len(tokens) else 'the end'})"
    words = f"from {_short(tokens[place])} tokens"
    if not known or low == high:
        return words
    last = _short(tokens[high]) if high < len(tokens) else "the end"
    return f"{words} ({_short(tokens[low])} to {last})"


def _short(tokens: float) -> str:
    """Tokens to two digits: more than the noise allows would not fit a small panel either."""
    return count_text(float(f"{tokens:.2g}"))


def _end(gap: Floats) -> tuple[float, float]:
    """Mean gap over the last tenth, and half of its 95% interval. None from few points.

    The noise is estimated from successive differences, which leaves 2 (n - 1)^2 / (3 n - 4) degrees of
    freedom: Student's t with these covers 95.0 to 95.7% of the time at 6 to 20 points, 1.96 only 88 to 93%.
    """
    count = min(len(gap), max(LEAST, round(TAIL * len(gap)))) if len(gap) >= LEAST else 1
    last = gap[-count:]
    if count < LEAST:
        return float(last.mean()), np.nan
    error = np.sqrt(np.mean(np.diff(last) ** 2) / 2 / count)
    freedom = 2 * (count - 1) ** 2 / (3 * count - 4)
    return float(last.mean()), float(stdtrit(freedom, 0.975) * error)


def signed(value: float, noise: float, digits: int) -> str:
    """A gap with its sign and half of its 95% interval: -0.0123 +- 0.0041."""
    text = f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
    return text if np.isnan(noise) else f"{text} \N{PLUS-MINUS SIGN} {noise:.{digits}f}"
