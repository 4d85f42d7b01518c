"""Dense models, mixtures of experts and streams in one grid."""

import pytest

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.config.execution import Execution
from sweeps.corpora import build as corpora
from sweeps.grids.grids import Axes, find
from sweeps.training.train import train


def test_a_mixture_is_a_size_beside_the_dense_one():
    runs = find("ci")(Axes(sizes=("64x1", "64x1e4"), streams=(1, 2)))
    assert [(run.size, run.model.P, run.model.experts) for run in runs] == [
        ("64x1", 1, 0),
        ("64x1", 2, 0),
        ("64x1e4", 1, 4),
        ("64x1e4", 2, 4),
    ]
    dense, mixture = runs[0].model, runs[2].model
    router = mixture.layers * mixture.width * mixture.experts
    assert mixture.active_N == dense.N + router  # two experts of half the width
    assert dense.N + router + 2 * 3 * 64 * mixture.ffn == mixture.N
    assert pytest.approx(runs[0].C + 3 * 2.0 * router * runs[0].D) == runs[2].C


@pytest.mark.parametrize("size", ["64x1e1", "64x1e", "64x1e04", "64x0", "064x1"])
def test_wrong_sizes_are_named(size):
    with pytest.raises(ValueError, match=f"size '{size}': write WIDTHxLAYERS, such as 64x4, or 64x4e8"):
        find("ci")(Axes(sizes=(size,)))


def test_a_mixture_trains_with_streams(corpus, tmp_path):
    (planned,) = find("ci")(Axes(sizes=("32x1e4",), streams=(2,), corpora=(corpus,), tokens=6000))
    (run,) = corpora.bind([planned])
    row = train(run, tmp_path, execution=Execution(threads=1, accelerator="cpu"))
    assert (row["status"], row["size"], row["N"]) == ("ok", "32x1e4", run.model.N)
    assert row["N_active"] == run.model.N - 2 * 3 * 32 * run.model.ffn
    assert load_checkpoint(tmp_path).config == run.model
