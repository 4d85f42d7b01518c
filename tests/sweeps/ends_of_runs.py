"""Runs interrupted at a step, and ends compared to the bit."""

import pandas as pd
import pytest
import torch

from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.training.interrupt import Interrupted
from sweeps.training.train import train
from tests.sweeps.small_run import ONE


def weights_of(folder):
    return {name: value.clone() for name, value in load_checkpoint(folder).state_dict().items()}


def assert_same_end(a, b, row_a, row_b):
    for name in ("loss", "loss_se", "train_loss"):
        assert row_a[name] == row_b[name], name
    wa, wb = weights_of(a), weights_of(b)
    assert all(torch.equal(wa[name], wb[name]) for name in wa)
    pd.testing.assert_frame_equal(pd.read_parquet(a / "curve.parquet"), pd.read_parquet(b / "curve.parquet"))


def interrupted_at(run, folder, step):
    seen = []
    with pytest.raises(Interrupted):
        train(
            run,
            folder,
            execution=ONE,
            progress=seen.append,
            stop=lambda: bool(seen) and seen[-1]["step"] >= step,
        )
