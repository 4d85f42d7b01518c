"""Twenty-four runs of a known law with noise: six sizes, P in {1, 2, 4, 8}."""

import itertools

import numpy as np

from scaling import ParallelLaw

TRUTH = ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
N, P = (
    np.array(v) for v in zip(*itertools.product(np.geomspace(5e7, 5e9, 6), [1.0, 2.0, 4.0, 8.0]), strict=True)
)


def made(seed: int = 1, sigma: float = 1e-3) -> dict:
    rng = np.random.default_rng(seed)
    return {"N": N, "P": P, "loss": TRUTH.predict(N=N, P=P) * np.exp(sigma * rng.standard_normal(N.size))}
