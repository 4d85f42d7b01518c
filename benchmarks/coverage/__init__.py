"""How often intervals cover the truth, measured on simulated runs."""

from pathlib import Path
from typing import Any

import pandas as pd


def rows_kept(table: Path, only: str) -> dict[str, list[dict[str, Any]]]:
    """By design, the rows of a study's table that --only leaves as they are: of designs without `only` in their name."""
    if not only:
        return {}
    by_design = pd.read_csv(table, dtype={"N": str}).groupby("design")
    return {str(design): rows.to_dict("records") for design, rows in by_design if only not in str(design)}
