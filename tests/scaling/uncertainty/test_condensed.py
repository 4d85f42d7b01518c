"""Many rows in cells: the profile of all rows."""

import numpy as np
import pytest

import scaling
from scaling.uncertainty import condensed, profile


def many(n: int, noise: float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    N, P = 10 ** rng.uniform(7.5, 10, n), rng.choice([1.0, 2.0, 4.0, 8.0], n)
    law = scaling.ParallelLaw(1.37, 3.1e7, 0.213, 0.287)
    return {"N": N, "P": P, "loss": law.predict(N=N, P=P) * np.exp(noise * rng.standard_normal(n))}


@pytest.mark.parametrize(
    ("objective", "share"),
    [(scaling.LeastSquares(), 0.003), (scaling.LogHuber(0.1), 0.03)],
    ids=["squares", "Huber"],  # a loss with kinks is a parabola only as n^(1/4) grows
)
def test_cells_give_the_profile_of_all_rows(
    monkeypatch: pytest.MonkeyPatch, objective: scaling.Objective, share: float
) -> None:
    """With so much noise that the upper half of A's interval is half as long again: a covariance would not do."""
    fit = scaling.fit(scaling.ParallelLaw, many(5_000, 0.1), objective)
    full, far = fit.intervals(), fit.predict(N=1e12, P=16)
    assert full.attrs["method"] == "profile likelihood"
    assert (full.upper - full.estimate)["A"] > 1.1 * (full.estimate - full.lower)["A"]
    for module in (profile, condensed):
        monkeypatch.setattr(module, "MANY", 4_999)
    again = scaling.Fit.of(fit)  # knows no intervals yet
    cells, far_cells = again.intervals(), again.predict(N=1e12, P=16)
    assert "5,000" in cells.attrs["method"]
    width = full.upper - full.lower
    assert (np.abs(cells - full).max(axis=1) / width).max() < share
    assert np.abs(far_cells.lower - far.lower)[0] < share * (far.upper - far.lower)[0]
