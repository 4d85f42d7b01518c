"""Laws over repeated and fine-tuning data, on the published tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.laws.data_axes import DataConstrainedLaw, FineTuningLaw, RepeatedDataLaw, decayed

TABLES = Path(__file__).parents[3] / "results/published/tables"


def test_repetition_decays_to_a_limit():
    assert decayed(5e8, 1e9, 15.0) == 5e8  # within the first epoch every token counts
    assert decayed(1e9, 1e9, 15.0) == 1e9
    assert 1.9e9 < decayed(2e9, 1e9, 15.0) < 2e9
    assert decayed(1e15, 1e9, 15.0) == pytest.approx(16e9)


@pytest.mark.parametrize(("law", "rmse"), [("repeated-data", 0.24895), ("data-constrained", 0.24577)])
def test_repeated_tokens_of_muennighoff_et_al(law, rmse):
    """182 rows: the published constants give R2 0.772. Both laws reach 0.94 when refitted."""
    table = pd.read_csv(TABLES / "data_constrained.csv").rename(
        columns={"params": "N", "tokens": "D", "unique_tokens": "unique"}
    )
    one = scaling.fit(law, table, scaling.LeastSquares())
    assert one.status == scaling.Status.CONVERGED
    assert one.rmse == pytest.approx(rmse, rel=1e-3)
    assert one.r2 > 0.94
    published = DataConstrainedLaw(
        np.exp(0.6254804), np.exp(6.255414), np.exp(7.3049974), 0.3526596, 5.309743, 15.387756
    )
    error = one.loss - published.predict(**{axis: table[axis].to_numpy() for axis in published.axes})
    assert 1 - (error**2).sum() / ((one.loss - one.loss.mean()) ** 2).sum() == pytest.approx(0.772, abs=2e-3)


def test_one_epoch_is_chinchilla():
    law = RepeatedDataLaw(E=1.7, A=400.0, alpha=0.34, B=410.0, beta=0.28, R=15.0)
    plain = scaling.ChinchillaLaw(E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28)
    assert law.predict(N=1e9, D=1e10, unique=2e10) == pytest.approx(plain.predict(N=1e9, D=1e10))


def test_the_rectified_law_of_fine_tuning():
    """Models of Lin et al.: each curve from no example to 1.6 million, within 0.05 nats in the median."""
    table = pd.read_csv(TABLES / "fine_tuning.csv").set_index("config name")[:9]
    sizes = [name for name in table if name.isdigit()]
    errors = []
    for _, row in table.iterrows():
        runs = {"D": np.array(sizes, dtype=float), "loss": row[sizes].astype(float).to_numpy()}
        errors.append(scaling.fit(FineTuningLaw, runs, scaling.LeastSquares()).rmse)
    assert errors[0] == pytest.approx(0.03489, rel=5e-3)
    assert np.median(errors) < 0.05
