"""The laws together: the forecast of `scaling.forecast` on the page's grid, and how much evidence each law has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import scaling
from analysis.explorer.interval_grid import shown_grid
from analysis.explorer.law_grid import encoded
from analysis.explorer.page_axes import PageAxis
from scaling.forecasting.question import AXES
from scaling.laws import OTHER_AXES, REGISTRY

WORTH_A_LOOK = 0.05  # share of the evidence from which a law's own interval is on the page


@dataclass(frozen=True)
class LawPool:
    """Weights of the evidence by law name, and the forecast for the page; `why` says where there is none."""

    weights: Mapping[str, float]
    forecast: Mapping[str, Any] | None = None
    why: str = ""

    def counts(self, name: str) -> bool:
        """Whether a law has enough evidence to be looked at on its own. All have where no evidence is known."""
        return not self.weights or self.weights.get(name, 0.0) >= WORTH_A_LOOK


def pool_of(
    runs: pd.DataFrame, fits: Mapping[str, scaling.Fit], axes: Mapping[str, PageAxis], level: float
) -> LawPool:
    """The pool of the registered laws of these axes and of the fitted ones, at every point of the page's grid."""
    varied = [name for name, axis in axes.items() if axis.low < axis.high]
    fixed = [name for name in axes if name not in varied]
    if fixed:
        return LawPool({}, why=f"the runs are at one {fixed[0]}, which tells no law from another")
    forms = {fit.form.__name__: fit.form for fit in fits.values() if set(fit.law.axes) == set(axes)}
    known = {law.__name__: law for law in _registered(axes) if set(law.axes) == set(axes)}
    laws = (
        None if set(forms) <= set(known) else [*(known | forms).values()]
    )  # by default forecast knows its laws
    grid = shown_grid(axes)
    try:
        points = _named(grid.points(axes), axes)
        found = scaling.forecast(_named(runs, axes), **points, laws=laws, level=level)
    except (ValueError, scaling.FitError) as error:
        return LawPool({}, why=str(error).splitlines()[0].rstrip("."))
    names = {fit.form.__name__: name for name, fit in fits.items()}
    weights = {names.get(str(law), str(law)): float(w) for law, w in found.weights.items()}
    ends = {name: encoded(np.log(getattr(found, name).to_numpy())) for name in ("lower", "loss", "upper")}
    return LawPool(weights, {"axes": list(axes), "nodes": grid.told(), **ends})


def _registered(axes: Mapping[str, PageAxis]) -> Iterable[Any]:
    """The laws that a forecast over such axes pools unasked."""
    return (REGISTRY if set(axes) <= set(AXES) else OTHER_AXES).values()


def _named(values: Any, axes: Mapping[str, PageAxis]) -> Any:
    """A table or points with categories by their names."""
    levels = {name: axis for name, axis in axes.items() if axis.kind == "levels"}
    names = {
        name: [axis.names[i] for i in axis.inner(values[name]).astype(int)] for name, axis in levels.items()
    }
    return values.assign(**names) if isinstance(values, pd.DataFrame) else {**values, **names}
