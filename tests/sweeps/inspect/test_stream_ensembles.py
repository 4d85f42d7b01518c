"""Streams averaged, and a frozen backbone for comparison."""

import numpy as np
import pandas as pd
import pytest
import torch

from parscale.cli.decide import streams_command
from sweeps.checkpoint import released_format
from sweeps.checkpoint.stream_bank import view
from sweeps.inspect import stream_ensembles, trained_runs
from sweeps.store.store import Store
from tests.sweeps.briefly_trained import run_of


def test_a_frozen_backbone_is_read_beside_its_streams(trained_sweep, capsys):
    store = Store(trained_sweep)
    text = np.tile(np.arange(61), 40).astype(np.int64)
    model, config = run_of(3, text, recipe="peft", parent="base")
    (run_id,) = store.add([config])
    released_format.save_checkpoint(model, store.checkpoint(run_id))
    store.finish(run_id, {"corpus": "x", "size": "24x2", "N": 1, "P": 3, "seed": 3, "loss": 3.0})
    store.gather()
    assert streams_command.run(streams_command.Options(sweep=str(trained_sweep), tokens="500")) == 0
    table = pd.read_parquet(trained_sweep / "streams.parquet")
    assert table["backbone"].isna().tolist() == (table["P"] != 3).tolist()
    row = table[table["P"] == 3].iloc[0]
    inputs, targets = next(trained_runs.windows(config, 8 * 16))
    with torch.no_grad():
        alone = view(model, P=1).loss(inputs, targets).item()
    again = stream_ensembles._of_run(store.checkpoint(run_id), config, 8 * 16).iloc[0]
    assert again["backbone"] == pytest.approx(alone, rel=1e-5)
    assert row["over_backbone"] == pytest.approx(row["backbone"] - row["own"])
    assert 0 < row["over_backbone_se"] < 1
    assert "over_backbone" in capsys.readouterr().out
