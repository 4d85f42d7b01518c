"""What a forecast is asked: levels, axes, units and runs that are refused."""

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import ChinchillaLaw, ParallelLaw, forecast


@pytest.mark.parametrize("level", [0, 1, -0.1, 95, "0.95", None])
def test_a_level_that_is_none_is_refused(pile: pd.DataFrame, level: object) -> None:
    with pytest.raises(ValueError, match=f"level={level!r}"):
        forecast(pile, N=30e9, P=8, level=level)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "quoted"),
    [
        ({}, "N="),
        ({"N": 30e9}, "P="),
        ({"N": 30, "P": 8}, "N=30 "),
        ({"N": 3e17, "P": 8}, r"N=3e\+17"),
        ({"N": 30e9, "P": 0}, "P=0"),
        ({"N": -1, "P": 2}, "N=-1"),
        ({"N": "big", "P": 2}, "'big'"),
        ({"N": [1e9, 2e9], "P": [1, 2, 4]}, r"\bP\b.*\b3\b"),
        ({"N": 30e9, "P": 8, "D": "1T"}, r"D=1e\+12"),
        ({"N": 30e9, "P": 8, "laws": ParallelLaw}, "ParallelLaw"),
        ({"N": 30e9, "P": 8, "laws": []}, r"laws=\[\]"),
        ({"N": 30e9, "P": 8, "laws": [ChinchillaLaw]}, "D "),
    ],
)
def test_a_wrong_question_is_refused(pile: pd.DataFrame, asked: dict, quoted: str) -> None:
    with pytest.raises(ValueError, match=quoted):
        forecast(pile, **asked)


def test_units_that_differ_are_refused_with_the_remedy(pile: pd.DataFrame) -> None:
    billions = pile.assign(N=pile.N / 1e9)
    with pytest.raises(ValueError, match="30B"):
        forecast(billions, N=30e9, P=8)
    with pytest.raises(ValueError, match="row 1"):
        forecast(pile.assign(N=np.where(pile.P == 1, billions.N, pile.N)), N=30e9, P=8)
    one, other = (forecast(runs, N=N, P=8, laws=[ParallelLaw]) for runs, N in ((billions, 30), (pile, 30e9)))
    assert one.loss[0] == pytest.approx(other.loss[0], rel=1e-3)


def test_runs_that_cannot_be_forecast_from_are_refused(pile: pd.DataFrame) -> None:
    with pytest.raises(scaling.FitError, match=r"^4 "):
        forecast(pile.iloc[[0, 1, 4, 9]], N=30e9, P=8)
    with pytest.raises(ValueError, match=r"N.*5e\+08"):
        forecast(pile.assign(N=5e8), N=30e9, P=8)
    with pytest.raises(ValueError, match=r"N.*5e\+08"):
        forecast(pile.assign(N=5e8), N=5e8, P=16)
    with pytest.raises(ValueError, match=r"24.*2"):
        forecast(pile.assign(loss=2.0), N=30e9, P=8)
    with pytest.raises(ValueError, match="status 'ok'"):
        forecast(pile[:0], N=30e9, P=8)
    with pytest.raises(ValueError, match=r"runs\.csv"):
        forecast("runs.csv", N=30e9)
