"""Runs that tests of forecasts share."""

import numpy as np
import pandas as pd

import scaling
from scaling import ChinchillaLaw
from scaling.forecasting.pooling import member
from scaling.optimise.multi_start import solve
from scaling.optimise.problem import Problem

TRUTH = ChinchillaLaw(E=1.73, A=406.0, B=391.0, alpha=0.337, beta=0.283)


def grid(truth: scaling.Law = TRUTH, noise: float = 0.003, seed: int = 7, sizes: int = 6) -> pd.DataFrame:
    """Runs at sizes from 1.1e7 to 4.3e8 and four budgets."""
    N, D = (v.ravel() for v in np.meshgrid(np.geomspace(1.1e7, 4.3e8, sizes), np.geomspace(1.3e9, 1.9e10, 4)))
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {"N": N, "D": D, "loss": truth.predict(N=N, D=D) * np.exp(noise * rng.standard_normal(N.size))}
    )


def member_of(runs: pd.DataFrame, law: type[scaling.Law] = ChinchillaLaw) -> object:
    x = tuple(runs[axis].to_numpy() for axis in law.axes)
    problem = Problem(law, x, runs.loss.to_numpy(), np.ones(len(runs)), scaling.LeastSquares(log=True))
    return member(problem, solve(problem).theta)
