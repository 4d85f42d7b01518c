"""Units that cannot be, and tables brought to parameters, tokens and FLOPs."""

import numpy as np
import pandas as pd
import pytest

from scaling.data.compute_units import (
    budget_doubt,
    compute_in_base_units,
    compute_ratio,
    scale_of,
    unit_doubt,
)

N = np.array([1e8, 5e8, 3e9])
D = np.array([4e9, 1e10, 6e10])
C = 6 * N * D


@pytest.mark.parametrize(
    ("n", "d", "c", "remedy"),
    [
        (1e9, 1.0, 1.0, '{"N": "billions"}'),
        (1.0, 1e9, 1.0, '{"D": "billions"}'),
        (1e9, 1e9, 1.0, '{"N": "billions", "D": "billions"}'),
        (1.0, 1e6, 1.0, '{"D": "billions"}'),
        (1e6, 1.0, 1.0, "2.0e+07"),
        (1.0, 1.0, 8.64e19, '{"C": "PF-days"}'),
        (1.0, 1.0, 1e18, '{"C": "EFLOPs"}'),
        (1.0, 1.0, 1e-3, '{"C": "own"}'),
    ],
)
def test_a_unit_that_cannot_be_is_named_with_the_remedy(n: float, d: float, c: float, remedy: str) -> None:
    assert remedy in unit_doubt(N / n, D / d, 1.0, C / c)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 3.0])
def test_compute_near_6NPD_is_taken(ratio: float) -> None:
    assert unit_doubt(N, D, 4.0, 4 * ratio * C) == ""
    assert compute_ratio(N, D, 4.0, 4 * ratio * C) == pytest.approx(ratio)
    assert unit_doubt(N, D) == ""


def test_tiny_models_are_no_mistake() -> None:
    assert unit_doubt(np.array([2.5e4, 4e5]), np.array([2e6, 2e7])) == ""


def test_a_budget_of_another_unit_is_named() -> None:
    assert budget_doubt(1e24, C) == ""
    assert '{"C": "PF-days"}' in budget_doubt(1e22 / 8.64e19, C)
    assert "1e+40" in budget_doubt(1e40, C)


def test_columns_are_scaled_and_unknown_units_refused() -> None:
    given = pd.DataFrame({"N": N / 1e6, "D": D / 1e9, "C": C / 8.64e19})
    table = compute_in_base_units(given, {"N": "millions", "D": "billions", "C": "PF-days"})
    np.testing.assert_allclose(table[["N", "D", "C"]].to_numpy().T, [N, D, C], rtol=1e-12)
    assert scale_of(None, "N") == scale_of({"C": "own"}, "C") == 1.0
    with pytest.raises(ValueError, match=r"C=watts.*C.*FLOPs"):
        scale_of({"C": "watts"}, "N")
    with pytest.raises(ValueError, match=r"P=streams.*N.*D.*C"):
        scale_of({"P": "streams"}, "N")
