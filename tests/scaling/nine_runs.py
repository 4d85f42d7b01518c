"""Nine runs of a known law, and files of them."""

from pathlib import Path

import numpy as np
import pandas as pd

from scaling import ParallelLaw

TRUTH = ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287)
N, P = (v.ravel() for v in np.meshgrid([57e6, 310e6, 2.8e9], [1.0, 2.0, 4.0]))


def write(table: pd.DataFrame, folder: Path, ending: str) -> Path:
    path = folder / f"runs.{ending}"
    match ending:
        case "csv":
            table.to_csv(path, index=False)
        case "tsv":
            table.to_csv(path, index=False, sep="\t")
        case "jsonl":
            table.to_json(path, orient="records", lines=True, double_precision=15)
        case "parquet":
            table.to_parquet(path)
    return path
