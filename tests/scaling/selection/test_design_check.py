"""What a design tells is what a fit of it finds."""

import numpy as np
import pytest

import scaling
from scaling.selection.design_check import axes_together, sampled, suited_laws, together_notes

LAW = scaling.ParallelDataLaw(E=1.6, A=3e7, alpha=0.21, k=0.3, B=900.0, beta=0.31)
SIZES, STREAMS, TOKENS = np.geomspace(1e8, 4e9, 4), np.array([1.0, 2, 4]), np.geomspace(2e9, 4e10, 3)


def grid(*values):
    return tuple(a.ravel() for a in np.meshgrid(*values, indexing="ij"))


def loss(N, P, D):
    return np.asarray(LAW.predict(N=N, P=P, D=D))


@pytest.mark.parametrize(
    "design",
    [
        pytest.param(grid(SIZES, STREAMS, TOKENS), id="whole grid"),
        pytest.param(grid(SIZES, STREAMS, TOKENS[:2]), id="two budgets"),
        pytest.param(grid(SIZES, STREAMS, TOKENS[:1]), id="one budget"),
        pytest.param(grid(SIZES, STREAMS[:1], TOKENS), id="one stream"),
        pytest.param((SIZES, np.ones(4), 20 * SIZES), id="ladder"),
        pytest.param(grid(SIZES[:2], STREAMS, TOKENS[:1]), id="two sizes"),
    ],
)
@pytest.mark.parametrize("law", ["parallel", "chinchilla", "parallel-data"])
def test_a_design_loses_the_parameters_that_a_fit_loses(design, law):
    N, P, D = design
    y = loss(N, P, D)
    table = suited_laws({"N": N, "P": P, "D": D}, y)
    points = len(set(zip(N, P, D, strict=True)))
    if points <= len(scaling.by_name(law).free()):
        assert table.cannot[law] == scaling.by_name(law).free()
        return
    noise = np.exp(0.001 * np.random.default_rng(4).standard_normal(N.size))
    fit = scaling.fit(law, {"N": N, "P": P, "D": D, "loss": y * noise})
    if fit.status not in ("at bound", "too few points"):
        assert table.cannot[law] == fit.undetermined


def test_laws_that_use_every_axis_come_first():
    N, P, D = grid(SIZES, STREAMS, TOKENS)
    table = suited_laws({"N": N, "P": P, "D": D}, loss(N, P, D))
    assert table.index[0] == "parallel-data"
    assert table.ignores["parallel"] == ("D",)
    N, P, D = grid(SIZES, STREAMS, TOKENS[:1])
    assert suited_laws({"N": N, "P": P, "D": D}, loss(N, P, D)).index[0] == "parallel"


def test_a_share_of_streams_is_lost_where_there_is_one_stream():
    one = np.ones(8)
    N = np.geomspace(1e8, 4e9, 8)
    table = suited_laws({"N": N, "P": one}, loss(N, one, 1e10 * one))
    assert "rho" in table.cannot["diversity"]
    assert table.cannot["dense"] == ()


def test_axes_that_move_together_are_named():
    noise = np.exp(0.3 * np.random.default_rng(0).standard_normal(30))
    N = np.geomspace(1e8, 1e10, 30)
    assert "D = 20 N" in together_notes({"N": N, "D": 20 * N})[0]
    assert "D = 20 N" not in together_notes({"N": N, "D": 20 * N * noise})[0]
    assert together_notes({"N": N, "D": noise}) == ()
    assert axes_together({"N": N, "P": np.ones(30)}) == {}


def test_a_sample_is_the_same_each_time_and_whole_where_rows_are_few():
    assert list(sampled(3)) == [0, 1, 2]
    first = sampled(10_000, 50)
    assert (len(first), len(set(first))) == (50, 50)
    assert (first == sampled(10_000, 50)).all()
