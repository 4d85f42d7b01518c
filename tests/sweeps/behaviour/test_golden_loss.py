"""The golden loss: what the training code gives for tiny runs, to the last digit.

Where it changes, a run's weights or losses have changed: raise `TRAINING_VERSION` in
sweeps/store/compatibility.py and write the new digits here. Processors and versions of torch sum in another
order, which moves the eighth digit: there the test allows 1e-6.
"""

import pytest
import torch

from sweeps.store.compatibility import TRAINING_VERSION
from sweeps.training.train import train
from tests.sweeps.small_run import ONE, config

MADE_WITH = ("2.13.0", "AVX512")  # torch, and the instructions it used
GOLDEN = {
    1: {(1, "adamw"): 3.999111783206463, (2, "muon"): 3.9903729311823843}
}  # {version: {(P, optimizer): nats per token}}


@pytest.mark.parametrize(("P", "optimizer"), GOLDEN[TRAINING_VERSION])
def test_the_loss_of_a_tiny_run_has_not_changed(P, optimizer, corpus, tmp_path):
    row = train(config(corpus, P, optimizer=optimizer), tmp_path / "run", execution=ONE)
    here = (torch.__version__.partition("+")[0], torch.backends.cpu.get_cpu_capability())
    exact = GOLDEN[TRAINING_VERSION][P, optimizer]
    assert row["loss"] == pytest.approx(exact, abs=1e-12 if here == MADE_WITH else 1e-6)
