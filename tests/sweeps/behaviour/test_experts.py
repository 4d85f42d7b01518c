"""A mixture of experts with streams, trained."""

import pytest

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.config.execution import Execution
from sweeps.corpora import build as corpora
from sweeps.grids.grids import Axes, find
from sweeps.training.train import train


@pytest.mark.slow
def test_a_mixture_trains_with_streams(corpus, tmp_path):
    (planned,) = find("ci")(Axes(sizes=("32x1e4",), streams=(2,), corpora=(corpus,), tokens=6000))
    (run,) = corpora.bind([planned])
    row = train(run, tmp_path, execution=Execution(threads=1, accelerator="cpu"))
    assert (row["status"], row["size"], row["N"]) == ("ok", "32x1e4", run.model.N)
    assert row["N_active"] == run.model.N - 2 * 3 * 32 * run.model.ffn
    assert load_checkpoint(tmp_path).config == run.model
