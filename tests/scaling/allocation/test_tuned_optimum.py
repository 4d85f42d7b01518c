"""Best learning rate and batch size: Step Law's public runs, surfaces whose minimum is known, bad input."""

import itertools

import numpy as np
import pandas as pd
import pytest

import scaling
from scaling.allocation.tuned_optimum import FEW, FLAT, OUTSIDE


@pytest.fixture(scope="module")
def step_law():
    return scaling.tuned_optimum(scaling.published("learning-rate-batch"))


def made(skew=0.0, noise=0.0, cells=((1e8, 2e9), (1e8, 3e10), (1e9, 2e9), (1e9, 3e10), (3e8, 9e9)), off=0.3):
    """Runs about lr* = 2 N^-0.6 D^0.2 and batch_size* = 0.001 D^0.5, the grids `off` from them."""
    rng, rows = np.random.default_rng(5), []
    for N, D in cells:
        steps = np.log(2) * np.arange(-3, 4) + off
        x, y = (v.ravel() for v in np.meshgrid(steps, steps))
        rise = 0.02 * x**2 * (1 + skew * x) + 0.015 * y**2 - 0.011 * x * y
        lr, batch = 2 * N**-0.6 * D**0.2 * np.exp(x), 0.001 * D**0.5 * np.exp(y)
        loss = 2.3 + rise + noise * rng.standard_normal(x.size)
        rows.append(pd.DataFrame({"N": N, "D": D, "lr": lr, "batch_size": batch, "loss": loss}))
    return pd.concat(rows)


def test_step_law_is_found_in_its_runs(step_law):
    """Published: lr = 1.79 N^-0.713 D^0.307, tokens per batch = 0.58 D^0.571 (arXiv 2503.04715), with 2,048 per sequence."""
    table = step_law.table
    assert step_law.cells["used"].sum() == 42
    for at, published in ((("lr", "N"), -0.713), (("lr", "D"), 0.307), (("batch_size", "D"), 0.571)):
        row = table.loc[at]
        assert row.lower < published < row.upper
        assert row.upper - row.lower < 0.14
    np.testing.assert_allclose(table.loc[("lr", ["N", "D"]), "estimate"], [-0.725, 0.310], atol=2e-3)
    best = step_law.at(N="1.073741824B", D=1e11)
    assert best.lower["lr"] < 1.79 * 1.073741824e9**-0.713 * 1e11**0.307 < best.upper["lr"]
    assert best.lower["batch_size"] < 0.58 * 1e11**0.571 / 2048 < best.upper["batch_size"]


def test_the_minimum_of_a_surface_is_found():
    found = scaling.tuned_optimum(made(skew=0.1))
    expected = {("lr", "N"): -0.6, ("lr", "D"): 0.2, ("batch_size", "N"): 0.0, ("batch_size", "D"): 0.5}
    for at, truth in expected.items():
        assert found.table["estimate"][at] == pytest.approx(truth, abs=1e-6)
    row = found.cells.iloc[0]
    assert row.lr == pytest.approx(2 * row.N**-0.6 * row.D**0.2, rel=0.01)
    assert row.lr_doubled == pytest.approx(0.02 * np.log(2) ** 2, rel=0.05)
    assert row.loss == pytest.approx(2.3, abs=1e-3)


def test_errors_follow_the_noise_and_one_setting_is_enough():
    quiet, loud = (scaling.tuned_optimum(made(noise=s)).cells["lr_error"].mean() for s in (5e-4, 2e-3))
    assert 2 < loud / quiet < 8
    runs = made()
    along = runs[np.isclose(runs["batch_size"] / (0.001 * runs["D"] ** 0.5), np.exp(0.3))]
    one = scaling.tuned_optimum(along, of=["lr"])
    assert one.table["estimate"]["lr", "N"] == pytest.approx(-0.6, abs=1e-3)


def test_cells_without_a_minimum_are_left_out_and_named():
    good, edge, few = made(), made(off=2.5, cells=[(5e8, 7e9)]), made(cells=[(7e8, 8e9)]).head(6)
    flat = made(cells=[(6e8, 8e9)]).assign(
        loss=lambda t: 2.3 - 1e-4 * np.log(t.lr) ** 2 - 1e-4 * np.log(t.batch_size)
    )
    found = scaling.tuned_optimum(pd.concat([good, edge, flat, few]))
    notes = found.cells.set_index("N")["note"]
    assert (notes[5e8], notes[6e8], notes[7e8]) == (OUTSIDE, FLAT, FEW)
    assert found.cells["used"].sum() == 5


def test_calls_that_cannot_be_answered():
    runs = made(cells=list(itertools.product([1e8], [2e9, 3e10])))
    small, whole = scaling.tuned_optimum(runs), scaling.tuned_optimum(made())
    assert small.table.empty
    for call, word in (
        (lambda: small.at(N=1e9, D=1e10), "No law"),
        (lambda: whole.at(N=1e9), "N, D"),
        (lambda: whole.at(N=1e9, D=-1), "positive"),
        (lambda: scaling.tuned_optimum(runs, of=["dropout"]), "dropout"),
        (lambda: scaling.tuned_optimum(runs, near=0), "near"),
    ):
        with pytest.raises(ValueError, match=word):
            call()
