"""Runs that gain from P in one part of the text only."""

import numpy as np
import pandas as pd

SHARES = {"repeated": 0.25, "seen": 0.25, "new": 0.5, "start": 0.0625}


def made_in_parts(seeds: int = 3, noise: float = 0.0) -> pd.DataFrame:
    """Three sizes, P in {1, 2, 4}: only repeated pairs gain 0.1 log2 P, and random seeds move them."""
    rng = np.random.default_rng(0)
    rows = []
    for size, N in (("32x2", 2e4), ("64x2", 8e4), ("96x2", 2e5)):
        for seed in range(seeds):
            for P in (1, 2, 4):
                more = (1e5 / N) ** 0.3
                lost = {"repeated": 2.0 + more - 0.1 * np.log2(P) + noise * rng.standard_normal()}
                lost |= {"seen": 3.0 + more, "new": 4.0 + more, "start": 4.1}
                whole = sum(SHARES[part] * lost[part] for part in ("repeated", "seen", "new"))
                run = {"run_id": f"{size}-{P}-{seed}", "corpus": "made", "size": size, "N": N * (1 + P / 99)}
                run |= {"P": P, "seed": seed, "status": "ok", "loss": whole}
                run |= {f"loss_{part}": value for part, value in lost.items()}
                rows.append(run | {f"share_{part}": share for part, share in SHARES.items()})
    return pd.DataFrame(rows)
