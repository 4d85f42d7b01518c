"""Small tables of runs as people bring them, from tests/fixtures/tables."""

from pathlib import Path

import pandas as pd

TABLES = Path(__file__).parents[1] / "fixtures" / "tables"
STREAMS = pd.read_csv(TABLES / "streams.csv")  # 24 runs of N, P and loss
TOKENS = pd.read_csv(TABLES / "tokens.csv")  # a grid of N, D and loss
TEXT = STREAMS.to_csv(index=False)
K_OF_ALL, K_OF_FINISHED, K_WITH_CRASHED = (
    0.3165,
    0.3157,
    0.2708,
)  # to 1e-4: streams.csv, crashed.csv by status, whole


def same(found: pd.DataFrame, wanted: pd.DataFrame = STREAMS) -> bool:
    """Whether the axes and losses of a table are another's, row by row."""
    names = list(wanted.columns)
    left, right = (table[names].astype(float).reset_index(drop=True) for table in (found, wanted))
    return bool(len(left) == len(right) and ((left - right).abs() <= 1e-9 * right.abs()).all(axis=None))
