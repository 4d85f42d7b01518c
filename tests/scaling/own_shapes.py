"""A law in a user's own file over width and depth, and runs of it: what several tests read."""

from pathlib import Path

import numpy as np
import pandas as pd

LAW = '''"""A law of a user's own."""

from __future__ import annotations

from dataclasses import dataclass

from scaling import Axis, Law, Range


@dataclass(frozen=True)
class DepthLaw(Law):
    """L = E + A/width^a + B/depth^b."""

    E: float
    A: float
    a: float
    B: float
    b: float

    axes = ("width", "depth")
    axis_rules = {"depth": Axis(lowest=2, reached=True, unit="layers")}
    nonlinear = {"a": Range(0.1, 2), "b": Range(0.1, 2)}

    @staticmethod
    def terms(width, depth, a, b):
        return 1.0, width**-a, depth**-b
'''


def shapes(seed: int = 0) -> pd.DataFrame:
    """Runs at five widths and four depths, P a column of another meaning."""
    width, depth = (v.ravel() for v in np.meshgrid([128, 256, 512, 1024, 2048], [4, 8, 16, 32]))
    noise = np.exp(0.002 * np.random.default_rng(seed).standard_normal(width.size))
    loss = (1.7 + 20 * width**-0.6 + 1.5 * depth**-0.8) * noise
    return pd.DataFrame({"width": width, "depth": depth, "P": "bf16", "loss": loss})


def written(folder: Path, runs: pd.DataFrame | None = None) -> tuple[str, str]:
    """The law as FILE.py:CLASS and the table's file, both in a folder."""
    (folder / "depth.py").write_text(LAW)
    (shapes() if runs is None else runs).to_csv(folder / "shapes.csv", index=False)
    return f"{folder / 'depth.py'}:DepthLaw", str(folder / "shapes.csv")
