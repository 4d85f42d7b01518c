from pathlib import Path

import pandas as pd
import pytest

import scaling
from parscale.cli.fit import fit_command
from scaling.selection.backtest import Backtest
from scaling.selection.compare import Comparison
from tests.scaling.command_line import run
from tests.scaling.nine_runs import TRUTH, N, P

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results" / "published"


@pytest.fixture(scope="session")
def losses() -> pd.DataFrame:
    return scaling.read_runs(PUBLISHED / "losses.csv")


@pytest.fixture(scope="session")
def pile(losses: pd.DataFrame) -> pd.DataFrame:
    return losses[losses.corpus == "pile"]


@pytest.fixture(scope="session")
def stack(losses: pd.DataFrame) -> pd.DataFrame:
    return losses[losses.corpus == "stack-v2-python"]


@pytest.fixture(scope="session")
def pile_fit(pile: pd.DataFrame) -> scaling.Fit:
    return scaling.fit(scaling.ParallelLaw, pile)


@pytest.fixture(scope="session")
def ranking(pile: pd.DataFrame) -> Comparison:
    return scaling.compare(["parallel", "dense"], pile)


@pytest.fixture(scope="session")
def report(pile: pd.DataFrame) -> Backtest:
    return scaling.backtest("parallel", pile)


@pytest.fixture(scope="session")
def fit(pile: pd.DataFrame) -> scaling.Fit:
    """Least squares of the log loss, rows independent: what is known in closed form."""
    return scaling.fit(scaling.ParallelLaw, pile, scaling.LeastSquares(log=True), groups=False)


@pytest.fixture(scope="session")
def kyo() -> pd.DataFrame:
    return scaling.read_runs(PUBLISHED / "runs" / "chinchilla_kyo.csv")


@pytest.fixture
def table() -> pd.DataFrame:
    """Nine runs without noise: three sizes, P in {1, 2, 4}."""
    return pd.DataFrame({"N": N, "P": P, "loss": TRUTH.predict(N=N, P=P)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fits of two laws to the published losses, saved."""
    path = tmp_path_factory.mktemp("results")
    for law in ("parallel", "additive:beta=0.5"):
        run(fit_command, by="corpus", law=law, out=str(path))
    return path / "fits"
