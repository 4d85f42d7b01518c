"""Runs whose sizes miss the law, each by an amount of its own."""

import numpy as np
import pandas as pd

import scaling


def off_by_size(scatter: float, seed: int) -> pd.DataFrame:
    """Six sizes at P = 1, 2, 4, 8 with noise of 1e-3, and each size off by `scatter`."""
    rng = np.random.default_rng(seed)
    N, P = (v.ravel() for v in np.meshgrid(np.geomspace(5e7, 5e9, 6), [1.0, 2.0, 4.0, 8.0]))
    law = scaling.ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
    off = scatter * np.repeat(rng.standard_normal(6)[None], 4, 0).ravel()
    return pd.DataFrame(
        {"N": N, "P": P, "loss": law.predict(N=N, P=P) + 1e-3 * rng.standard_normal(24) + off}
    )
