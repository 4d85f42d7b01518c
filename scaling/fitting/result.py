"""The fit: an estimate with intervals, predictions, a file, plots and a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import Any, Self

import numpy as np
import pandas as pd

from scaling.data.any_table import as_frame, axis_columns
from scaling.fitting import plots, save, summary
from scaling.optimise.estimate import Estimate
from scaling.optimise.multi_start import solve
from scaling.selection.equivalent_size import equivalent_values
from scaling.terminal_text import width
from scaling.uncertainty.covariance import parameter_covariance
from scaling.uncertainty.interval_methods import Method
from scaling.uncertainty.prediction import equivalent_sizes, method_of, predict


@dataclass(frozen=True, eq=False, repr=False)
class Fit(Estimate):
    """A fitted law with its data, certificate, intervals and predictions: a value, never changed."""

    @classmethod
    def of(cls, estimate: Estimate) -> Self:
        """The fit of an estimate.

        Args:
            estimate: the law with its problem and certificate, without intervals.

        Returns:
            The same values, with the methods of a fit.
        """
        return cls(**{f.name: getattr(estimate, f.name) for f in fields(Estimate)})

    # ---- the parameters ---------------------------------------------------------------------
    @property
    def params(self) -> pd.Series[float]:
        """Every parameter's estimate, or the value it was fixed at, by name."""
        values = {name: float(getattr(self.law, name)) for name in self.law.names()}
        return pd.Series(values, name="estimate").rename_axis("parameter")

    @property
    def std_errors(self) -> pd.Series[float]:
        """Standard errors of the parameters by linear theory, by name.

        nan for one that is fixed, for one at its bound, and where the rows do not determine the parameters.
        """
        error = np.sqrt(np.diag(self.covariance()))
        found = pd.Series(error, index=list(self.form.free()), name="std_error")
        return found.reindex(list(self.law.names())).rename_axis("parameter")

    def covariance(self) -> pd.DataFrame:
        """Covariance of the free parameters' estimates by linear theory.

        Returns:
            A DataFrame (p, p) in the parameters' units, with nan for a parameter at its bound.

        Source: `scaling.uncertainty.interval_methods.spread`, by the delta method.
        """
        return parameter_covariance(self)

    def correlations(self) -> pd.DataFrame:
        """Correlations of the free parameters' estimates by linear theory.

        Returns:
            A DataFrame (p, p), with nan for a parameter at its bound.
        """
        covariance = parameter_covariance(self)
        error = np.sqrt(np.diag(covariance))
        return covariance.div(error, axis=0).div(error, axis=1)

    def intervals(self, level: float = 0.95, method: Method | str | None = None) -> pd.DataFrame:
        """Confidence intervals of the free parameters.

        Args:
            level: of the intervals, between 0 and 1.
            method: `scaling.Profile()`, `Bootstrap()`, `Covariance()`, or "profile", "bootstrap", "covariance". The
                default has the best measured coverage on such rows (docs/coverage.md).

        Returns:
            A DataFrame (p, 3), one row per parameter in its own unit: estimate, lower, upper.

        Raises:
            ValueError: for a level outside (0, 1) and for an unknown method.

        Examples:
            >>> pile = scaling.published("losses").query("corpus == 'pile'")
            >>> k = scaling.fit("parallel", pile).intervals().loc["k"]
            >>> print(f"{k.estimate:.3f} ({k.lower:.3f} to {k.upper:.3f})")
            0.334 (0.297 to 0.378)
        """
        return method_of(method, self).parameters(self, level)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the fit apart from its numbers, a sentence each.

        Columns whose rows are fitted as one although they explain the residuals, a loss that rises with N or D,
        axes that move together, parameters that the runs do not determine, rows that repeat.
        """
        return summary.fit_notes(self)

    def sensitivity(self, name: str, values: Any) -> pd.DataFrame:
        """Refit with one parameter held at each of several values, to see how the answer depends on it.

        Args:
            name: the parameter.
            values: at which it is held, in its own unit.

        Returns:
            A DataFrame with one row per value: the other free parameters, status, rmse (nats per token) and delta_aicc
            (against this fit, with the same count of parameters, so that it is 0 at the estimate).

        Raises:
            ValueError: for a parameter that the law does not have, and for a value outside its range.
        """
        rows = []
        if not np.size(values):
            raise ValueError(
                f"sensitivity: no values of {name}. Give some at which it is held, such as [1.4, 1.6]"
            )
        for value in np.atleast_1d(np.asarray(values, dtype=np.float64)):
            held = replace(self.problem, law=self.form.with_fixed(**{name: float(value)}))
            one = Fit.of(solve(held, groups=self.groups))
            others = {n: float(getattr(one.law, n)) for n in self.form.free() if n != name}
            rows.append({name: value, **others, "status": str(one.status), "rmse": one.rmse,
                         "delta_aicc": one._deviance - self._deviance})  # fmt: skip
        return pd.DataFrame(rows).set_index(name)

    # ---- predictions ------------------------------------------------------------------------
    def predict(
        self,
        table: Any = None,
        *,
        level: float = 0.95,
        method: Method | str | None = None,
        widened: bool = True,
        **axes: Any,
    ) -> pd.DataFrame:
        """Predict losses, with confidence and prediction intervals.

        Args:
            table: points with the law's axes as columns, any table that `scaling.fit` takes.
            level: of the intervals, between 0 and 1.
            method: of the intervals, as in `intervals`.
            widened: widen the prediction interval outside the convex hull of the runs by the drift seen in windows
                inside the runs and in public tables (docs/forecast.md). False assumes the law's form there too.
            axes: points by keyword (N=, P=, ...), numbers or arrays that broadcast. They replace columns of the table.

        Returns:
            A DataFrame with one row per point and the index of the table. Columns: the axes, loss, lower and upper
            (confidence interval of the mean), new_lower and new_upper (prediction interval of one more run), all in
            nats per token, beyond (the largest factor outside the range of an axis, 1 within) and inside (within the
            convex hull of the runs, axes on logarithms). `attrs["unconfirmed"]` names ends that are open because no
            refit confirmed one.

        Raises:
            ValueError: for a missing axis, and for a value that the law cannot take, with its row.

        Examples:
            >>> pile = scaling.published("losses").query("corpus == 'pile'")
            >>> point = scaling.fit("parallel", pile).predict(N=2.8e9, P=4).iloc[0]
            >>> print(f"{point.loss:.3f} ({point.new_lower:.3f} to {point.new_upper:.3f})")
            1.840 (1.821 to 1.861)
        """
        if table is None or isinstance(table, Mapping):
            given = {axis: table[axis] for axis in self.law.axes if axis in table} if table else {}
            return predict(self, given | axes, level, method_of(method, self), widened)
        frame = as_frame(table)
        wanted = tuple(axis for axis in self.law.axes if axis not in axes)
        found = predict(
            self,
            axis_columns(frame, wanted, self.law.axis_rules) | axes,
            level,
            method_of(method, self),
            widened,
        )
        return found.set_index(frame.index) if len(found) == len(frame) else found

    def equivalent_N(
        self,
        N: Any,
        P: Any,
        at_P: float = 1,
        *,
        level: float = 0.95,
        method: Method | str | None = None,
        **axes: Any,
    ) -> pd.DataFrame:
        """The number of parameters that has the loss of (N, P) at `at_P` streams, with its interval.

        Args:
            N: non-embedding parameters, a number or an array.
            P: streams, a number or an array that broadcasts with N.
            at_P: streams of the equivalent model.
            level: of the interval, between 0 and 1.
            method: of the interval, as in `intervals`.
            axes: the law's other axes, such as D in tokens.

        Returns:
            A DataFrame with one row per point: N, P, the other axes, loss (nats per token), equivalent_N, multiple
            (equivalent_N / N), lower and upper (of equivalent_N, formed on the logarithm).

        Raises:
            ValueError: for a law without N or P, and for a value that the law cannot take.

        Source: section 3.2 of arXiv 2505.10475. By Eq 5 it is N (k ln P + 1).

        Examples:
            >>> pile = scaling.published("losses").query("corpus == 'pile'")
            >>> worth = scaling.fit("parallel", pile).equivalent_N(N=2.8e9, P=4).iloc[0]
            >>> print(f"{worth.multiple:.2f}")
            1.46
        """
        return equivalent_sizes(self, N, P, at_P, level, method_of(method, self), axes)

    def equivalent(
        self,
        axis: str,
        at: Mapping[str, Any],
        *,
        level: float = 0.95,
        method: Method | str | None = None,
        **point: Any,
    ) -> pd.DataFrame:
        """The value of `axis` that has the loss of `point` once the axes in `at` are changed, with its interval.

        `fit.equivalent("N", {"experts": 1}, N=1e8, experts=64)` is what 64 experts are worth in parameters.

        Args:
            axis: the axis that is solved for.
            at: the axes that differ from the point, and their values.
            level: of the interval, between 0 and 1.
            method: of the interval, as in `intervals`.
            point: the law's axes, numbers or arrays that broadcast, categories by name.

        Returns:
            A DataFrame with one row per point: the axes, loss (nats per token), equivalent_AXIS, multiple (of the value
            at the point), lower and upper (of equivalent_AXIS, formed on the logarithm).

        Raises:
            ValueError: for an axis along which the loss need not be monotone.
        """
        return equivalent_values(self, axis, at, point, level, method_of(method, self))

    # ---- a file ------------------------------------------------------------------------------
    def save(self, path: Any) -> None:
        """Write the fit as JSON in full precision. `scaling.load` gives bit-identical predictions.

        Ends of the 95% intervals that are open because no refit confirmed one are named in the file.

        Args:
            path: of the file.
        """
        save.save(self, path, summary.unconfirmed_ends(self))

    @staticmethod
    def load(path: Any, law: Any = None) -> Fit:
        """Read a saved fit: `scaling.load`.

        Args:
            path: of the JSON file.
            law: your own law, if its class is not imported.

        Returns:
            The fit.

        Raises:
            ValueError: for a file of another version or one edited by hand.
        """
        return load(path, law)

    # ---- for people --------------------------------------------------------------------------
    def verdict(self, level: float = 0.95) -> Any:
        """Do streams help, is it this law, does it extrapolate: `scaling.verdict` of this fit.

        Args:
            level: of the intervals, between 0 and 1.

        Returns:
            A `Verdict`.
        """
        return import_module("scaling").verdict(self, level=level)

    def summary(self, level: float = 0.95) -> summary.FitSummary:
        """The parameters with their intervals, and what to know of the fit.

        Args:
            level: of the intervals, between 0 and 1.

        Returns:
            A `FitSummary`. `table` has the columns estimate, std_error, lower, upper and fixed, in the parameters' units.
            `verdict` is the status in a sentence.
        """
        return summary.FitSummary.of(self, self.std_errors, level)

    def to_latex(self, level: float = 0.95) -> str:
        """The parameters with their intervals as a LaTeX table.

        Args:
            level: of the intervals, between 0 and 1.

        Returns:
            The table's text, for the packages booktabs and amsmath.
        """
        return summary.fit_latex(self, level)

    def plot(self) -> Any:
        """Losses and fitted curves, one colour per P, with the residuals below.

        Returns:
            A matplotlib Figure.
        """
        return plots.plot(self)

    def plot_residuals(self) -> Any:
        """Residuals against the fitted loss and against each axis.

        Returns:
            A matplotlib Figure.
        """
        return plots.plot_residuals(self)

    def __repr__(self) -> str:
        """A table for people."""
        return summary.fit_text(self, room=width())

    def _repr_html_(self) -> str:
        return summary.fit_html(self)


def load(path: Any, law: Any = None) -> Fit:
    """Read a fit that `Fit.save` or `parscale fit` wrote.

    Args:
        path: of the JSON file.
        law: your own law, its class or "FILE.py:CLASS", if the class is not imported. A fit file runs no code.

    Returns:
        The fit, whose predictions are bit-identical to those of the saved one.

    Raises:
        ValueError: for a file of another version or one edited by hand.
        FileNotFoundError: if there is no file.
    """
    return Fit.of(save.load_estimate(path, law))
