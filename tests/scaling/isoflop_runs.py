"""Runs about Hoffmann's law with a known optimum: nine sizes at each of six budgets."""

import numpy as np

from scaling import ChinchillaLaw

CHINCHILLA = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
EXPONENT = CHINCHILLA.beta / (CHINCHILLA.alpha + CHINCHILLA.beta)


def closed_form(C: float) -> float:
    """N of least loss with 6 N D = C."""
    law = CHINCHILLA
    G = (law.alpha * law.A / (law.beta * law.B)) ** (1 / (law.alpha + law.beta))
    return G * (C / 6) ** EXPONENT


def isoflop_runs(
    noise: float = 0.0,
    budgets: int = 6,
    centre: float = 1.1,
    sizes: int = 9,
    factor: float = 5.0,
    scatter: float = 0.0,
    seed: int = 2,
) -> dict:
    """Sizes about `centre` optima at each budget from 1e18 to 1e22. The optimum of each budget has its own scatter."""
    rng = np.random.default_rng(seed)
    C = np.repeat(np.geomspace(1e18, 1e22, budgets), sizes)
    grid = np.tile(np.geomspace(1 / factor, factor, sizes), budgets)
    N = np.array([closed_form(c) for c in C]) * centre * grid
    own = np.repeat(np.exp(scatter * rng.standard_normal(budgets)), sizes)
    loss = CHINCHILLA.predict(N=N / own, D=C / 6 / N * own)
    return {"N": N, "D": C / 6 / N, "loss": loss * np.exp(noise * rng.standard_normal(N.size))}
