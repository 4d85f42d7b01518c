"""Published runs and a forecast of them."""

import pandas as pd
import pytest

import scaling
from scaling import Forecast, forecast


@pytest.fixture(scope="session")
def pile() -> pd.DataFrame:
    runs = scaling.read_runs("results/published/losses.csv")
    return runs[runs.corpus == "pile"].reset_index(drop=True)


@pytest.fixture(scope="session")
def made(pile: pd.DataFrame) -> Forecast:
    return forecast(pile, N="30B", P=[1, 8])
