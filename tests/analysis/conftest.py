"""The published runs and the laws printed for them, for the tests of this folder."""

from pathlib import Path

import pandas as pd
import pytest

from scaling.laws import ParallelLaw

PUBLISHED = Path(__file__).parents[2] / "results" / "published"


@pytest.fixture(scope="session")
def losses():
    return pd.read_csv(PUBLISHED / "losses.csv")


@pytest.fixture(scope="session")
def stack(losses):
    return losses[losses["corpus"] == "stack-v2-python"]


@pytest.fixture(scope="session")
def architectures():
    return pd.read_csv(PUBLISHED / "architectures.csv")


@pytest.fixture(scope="session")
def printed_laws():
    table = pd.read_csv(PUBLISHED / "fit_constants.csv").set_index("dataset")
    names = {"stack-v2-python": "Stack-V2-Python", "pile": "Pile"}
    return {
        corpus: ParallelLaw(**{c: float(table.loc[row, c]) for c in ("E", "A", "alpha", "k")})
        for corpus, row in names.items()
    }
