"""Twenty runs of a known law with noise: five sizes, P in {1, 2, 4, 8}."""

import numpy as np
import pandas as pd

from scaling import ParallelLaw

TRUTH = ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 5e9, 5), [1.0, 2.0, 4.0, 8.0]))


def runs(sigma: float = 1e-3, seed: int = 5) -> pd.DataFrame:
    noise = np.exp(sigma * np.random.default_rng(seed).standard_normal(N.size))
    return pd.DataFrame({"N": N, "P": P, "loss": TRUTH.predict(N=N, P=P) * noise})
