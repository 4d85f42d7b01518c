"""Real text: 200 steps on the Python standard library lower the validation loss at every P."""

from dataclasses import replace

import pytest

from sweeps.config.execution import Execution
from sweeps.corpora import build as corpora
from sweeps.grids import grids
from sweeps.grids.axes import Axes
from sweeps.training.evaluate import evaluate
from sweeps.training.lightning_module import build_model
from sweeps.training.train import train


@pytest.mark.slow
@pytest.mark.parametrize("P", [1, 4])
def test_training_200_steps_lowers_the_loss_on_real_text(tmp_path, P):
    (planned,) = grids.find("ci")(Axes(sizes=["32x1"], streams=[P]))
    run = replace(planned, steps=200, evaluations=2)
    (run,) = corpora.bind([run])
    held_out = corpora.open_for(run).valid
    before = evaluate(build_model(run), held_out, run.seq_len, run.eval_batch, limit=run.eval_tokens).loss
    row = train(run, tmp_path, execution=Execution(threads=1, accelerator="cpu"))
    assert before == pytest.approx(6.24, abs=0.1)  # ln 512: nothing is known yet
    assert row["loss"] < before - 1.5
