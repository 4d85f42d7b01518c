"""Runs at four sizes whose gains from P = 2 and 4 are known."""

import numpy as np
import pandas as pd

from scaling import DenseLaw

DENSE = DenseLaw(E=1.5, A=2e5, alpha=0.3)
GAIN = {2: -0.01, 4: -0.03}


def made(seeds: int = 3, noise: float = 0.0, apart: float = 0.0) -> pd.DataFrame:
    """Four sizes, P in {1, 2, 4}; `apart` moves the runs of a seed together, and `noise` each on its own."""
    rng = np.random.default_rng(0)
    rows = []
    for width in (32, 64, 96, 128):
        for seed in range(seeds):
            together = apart * rng.standard_normal()
            for P in (1, 2, 4):
                N = 20.0 * width**2 * (1 + 0.05 * np.log2(P))
                loss = DENSE.predict(N=20.0 * width**2) + GAIN.get(P, 0.0) + together
                rows.append(("made", f"{width}x2", N, P, seed, loss + noise * rng.standard_normal(), "ok"))
    return pd.DataFrame(rows, columns=["corpus", "size", "N", "P", "seed", "loss", "status"])
