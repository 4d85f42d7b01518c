"""The folder of a sweep whose runs follow a known law."""

import numpy as np
import pandas as pd

from scaling import ParallelLaw

LAW = ParallelLaw(E=3.1, A=4e5, alpha=0.31, k=0.27)
SHAPE = {"width": 96, "ffn": 256, "layers": 4, "heads": 4, "kv_heads": 2, "vocab": 2048}


def sweep(folder, sizes, streams, **columns):
    rng = np.random.default_rng(3)
    rows = [
        {
            "run_id": f"{n}-{p}",
            "size": f"s{n}",
            "N": n,
            "P": p,
            "loss": LAW.predict(N=n, P=p) + rng.normal(0, 0.003),
        }
        for n in sizes
        for p in streams
    ]
    folder.mkdir()
    table = pd.DataFrame(rows).assign(**{"corpus": "stdlib", "recipe": "scratch", "status": "ok", **columns})
    table.to_parquet(folder / "runs.parquet")
    return table
