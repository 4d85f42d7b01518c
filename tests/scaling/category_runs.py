"""Laws with one and two columns of categories, and exact runs of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scaling import Category, Law, Range


@dataclass(frozen=True)
class PrecisionLaw(Law):
    """L = E + A/(N eff(precision))^alpha."""

    E: float
    A: float
    alpha: float
    eff: float

    axes = ("N",)
    nonlinear = {"alpha": Range(0.05, 1.0, 8), "eff": Range(0.1, 2.0, 5, 0.0, 10.0)}  # noqa: RUF012
    categories = {"precision": Category("eff", reference="bf16")}  # noqa: RUF012

    @staticmethod
    def terms(N, alpha, eff):
        return 1.0, (N * eff) ** -alpha


EFFICIENCY = {"bf16": 1.0, "fp8": 0.91, "int4": 0.53}


def precisions(rows: int = 6) -> pd.DataFrame:
    """Exact runs of every precision."""
    N = np.geomspace(1e7, 1e9, rows)
    parts = [
        pd.DataFrame({"N": N, "precision": name, "loss": PrecisionLaw(1.8, 900.0, 0.35, e).predict(N=N)})
        for name, e in EFFICIENCY.items()
    ]
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True)
class TwoCategoriesLaw(PrecisionLaw):
    """The same with a recipe that multiplies A: two columns of categories."""

    gain: float = 1.0

    nonlinear = PrecisionLaw.nonlinear | {"gain": Range(0.5, 2.0, 3, 0.01, 10.0)}
    categories = PrecisionLaw.categories | {"recipe": Category("gain", reference="plain")}

    @staticmethod
    def terms(N, alpha, eff, gain):
        return 1.0, gain * (N * eff) ** -alpha


def two_categories() -> pd.DataFrame:
    """Exact runs of every precision, half of them of a recipe that leaves 0.83 of A."""
    tuned = np.arange(18) % 2 == 1
    runs = precisions().assign(recipe=np.where(tuned, "tuned", "plain"))
    return runs.assign(loss=np.where(tuned, 1.8 + 0.83 * (runs.loss - 1.8), runs.loss))
