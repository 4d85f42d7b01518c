"""Comparison of laws, on the published losses and on made ones."""

import re
import sys

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling import REGISTRY, AdditiveLaw, DenseLaw, DiversityLaw, FitError, ParallelLaw
from scaling.fitting import summary
from scaling.selection import compare
from scaling.selection.compare import _winner, largest_third, leave_one_out
from tests.scaling.twenty_four_runs import TRUTH, N, P, made

HALF = REGISTRY["additive-half"]


@pytest.mark.parametrize(("corpus", "gap"), [("pile", 35.5), ("stack-v2-python", 10.4)])
def test_the_additive_law_wins_on_the_published_losses(losses: pd.DataFrame, corpus: str, gap: float) -> None:
    ranking = scaling.compare([ParallelLaw, HALF, DenseLaw], losses[losses.corpus == corpus], groups=False)
    table = ranking.table
    assert table.index[0] == "AdditiveLaw(beta=0.5)"
    assert table.delta_aicc["ParallelLaw"] == pytest.approx(gap, abs=0.06)
    assert table.parameters["ParallelLaw"] == table.parameters["AdditiveLaw(beta=0.5)"] == 4
    assert table.delta_aicc["DenseLaw"] > 40
    assert "ParallelLaw: +" in ranking.verdict
    assert ranking.fits["ParallelLaw"].law.k == pytest.approx(0.34 if corpus == "pile" else 0.39, abs=0.02)


def test_information_criteria_written_out(pile: pd.DataFrame) -> None:
    ranking = scaling.compare([ParallelLaw], pile, groups=False)
    least = scaling.fit(ParallelLaw, pile, scaling.LeastSquares(), groups=False)  # whatever the objective is
    rss, n, k = float((least.residuals**2).sum()), 24, 5
    row = ranking.table.loc["ParallelLaw"]
    assert row.aicc == pytest.approx(n * np.log(rss / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1), rel=1e-12)
    assert row.bic == pytest.approx(n * np.log(rss / n) + k * np.log(n), rel=1e-12)


def test_leave_one_out_equals_refitting_one_by_one(pile: pd.DataFrame) -> None:
    fit = scaling.fit(ParallelLaw, pile, scaling.LeastSquares(), groups=False)
    batch = leave_one_out(fit)
    for i in (0, 11, 23):
        other = scaling.fit(ParallelLaw, pile.drop(index=pile.index[i]), scaling.LeastSquares())
        row = pile.iloc[i]
        assert batch[i] == pytest.approx(row.loss - other.law.predict(N=row.N, P=row.P), abs=1e-7)


def test_a_law_that_cannot_be_fitted_says_why() -> None:
    few = {k: v[[0, 5, 10, 23]] for k, v in made().items()}
    ranking = scaling.compare([DenseLaw, AdditiveLaw], few)
    assert re.search(r"\b4\b.*\b5\b", ranking.table.status["AdditiveLaw"])
    with pytest.raises(FitError, match="AdditiveLaw"):
        scaling.compare([AdditiveLaw], {k: v[:3] for k, v in few.items()})
    with pytest.raises(FitError):
        scaling.compare([], made())


def test_the_true_law_is_preferred_on_made_data() -> None:
    ranking = scaling.compare([ParallelLaw, HALF, DenseLaw, REGISTRY["log-multiplicative"]], made(sigma=5e-4))
    assert ranking.table.index[0] == "ParallelLaw"
    assert ranking.table.loo_rmse.idxmin() == "ParallelLaw"
    assert "ParallelLaw" in ranking.verdict
    assert "ParallelLaw" in repr(ranking)
    assert "<table" in ranking._repr_html_()


def test_lack_of_fit_against_seeds() -> None:
    rng = np.random.default_rng(8)
    twice = {"N": np.tile(N, 2), "P": np.tile(P, 2)}
    noise = np.exp(1e-3 * rng.standard_normal(48))
    right = scaling.fit(
        ParallelLaw, twice | {"loss": TRUTH.predict(**twice) * noise}, scaling.LeastSquares(log=True)
    )
    assert scaling.adequacy(right).replicate_p > 0.01
    bent = AdditiveLaw(E=1.2, A=60.0, alpha=0.27, C=0.2, beta=1.2)
    wrong = scaling.fit(
        ParallelLaw, twice | {"loss": bent.predict(**twice) * noise}, scaling.LeastSquares(log=True)
    )
    assert scaling.adequacy(wrong).replicate_p < 1e-3
    assert "p < 0.001" in scaling.adequacy(wrong).verdict
    alone = scaling.adequacy(scaling.fit(ParallelLaw, made()))
    assert np.isnan(alone.replicate_p)


def test_rounding_is_no_evidence(pile: pd.DataFrame) -> None:
    """Equal losses fit every law to the last digits, which rank none."""
    table = scaling.compare([ParallelLaw, AdditiveLaw, DenseLaw], pile.assign(loss=2.0)).table
    assert table.index[0] == "DenseLaw"  # the fewest parameters
    assert table.delta_aicc.max() < 10


def test_laws_that_tie_stand_in_the_order_given(pile, monkeypatch):
    """Their last digits differ from machine to machine, and would rank them."""
    real, criterion = compare._criteria, {"ParallelLaw": 1 + 1e-12, "DiversityLaw": 1.0, "DenseLaw": 0.0}
    monkeypatch.setattr(
        compare,
        "_criteria",
        lambda one, *more: real(one, *more) | {"aicc": criterion[type(one.law).__name__]},
    )
    table = scaling.compare([ParallelLaw, DiversityLaw, DenseLaw], pile).table
    assert table.index.tolist() == ["DenseLaw", "ParallelLaw", "DiversityLaw"]
    assert table["delta_aicc"].tolist() == [0, 1, 1]
    assert summary.cross_check("scipy", 3.3e-15) == summary.cross_check("scipy", 0.0)
    assert "+2.4e-10" in summary.cross_check("scipy", 2.4e-10)


def test_laws_that_predict_alike_are_not_told_apart_by_their_last_digits():
    errors = pd.Series({"DenseLaw": 1.0005, "SaturatingLaw": 1.0, "AdditiveLaw": 1.2})
    assert _winner(errors, "DenseLaw").split()[0] == "DenseLaw"
    assert _winner(errors, "AdditiveLaw").split(",")[0] == "SaturatingLaw"


def test_every_law_is_held_out_on_the_same_runs() -> None:
    """What streams add to small models is not a size of its own, also for a law without P."""
    one = np.array([24864, 49696, 139072, 231744, 407136.0])
    N = np.concatenate([one, one * [1.42, 1.36, 1.28, 1.19, 1.21]])
    runs = pd.DataFrame({"N": N, "P": np.repeat([1.0, 8.0], 5), "loss": 2 + (1e5 / N) ** 0.3 * 1.001})
    far = largest_third(runs, "N")
    assert far.tolist() == ([False] * 3 + [True] * 2) * 2
    tested = [scaling.backtest(law, runs, objective="log-least-squares") for law in (DenseLaw, ParallelLaw)]
    windows = [one.table["test"].tolist() for one in tested]
    assert windows[0][-1] == windows[1][-1] == 2
    with pytest.raises(ValueError, match="holdout='X'"):
        scaling.compare([DenseLaw], runs, holdout="X")


def test_leave_one_out_in_batches_is_one_by_one(pile: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    fit = scaling.fit(ParallelLaw, pile, scaling.LeastSquares())
    whole = leave_one_out(fit)
    monkeypatch.setattr("scaling.selection.compare.LEFT_OUT", 5)
    np.testing.assert_allclose(leave_one_out(fit), whole, rtol=1e-6, atol=1e-12)


def test_a_holdout_in_compute_needs_no_column() -> None:
    runs = {**made(), "D": np.full(len(made()["N"]), 1e9)}
    assert re.search(r"\bC\b", scaling.compare([ParallelLaw, scaling.DenseLaw], runs, holdout="C").verdict)


def test_groups_of_many_rows_are_left_out_by_their_leverage(
    pile: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    for objective in (scaling.LeastSquares(), scaling.LeastSquares(log=True)):
        fit = scaling.fit("parallel", pile, objective, groups=np.arange(24) // 2)
        whole = leave_one_out(fit)
        monkeypatch.setattr(sys.modules["scaling.selection.compare"], "MANY", 10)
        quick = leave_one_out(fit)
        monkeypatch.undo()
        alone = leave_one_out(scaling.fit("parallel", pile, objective, groups=False))
        assert np.abs(quick - whole).max() < 0.5 * np.abs(alone - whole).max()
        assert quick == pytest.approx(whole, abs=0.25 * np.abs(whole).max())
