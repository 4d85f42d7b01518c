"""`parscale context`: the loss split by what the context held."""

import numpy as np
import pandas as pd
import pytest
import torch

import scaling
from parscale.cli.decide import context_command
from sweeps.checkpoint import released_format
from sweeps.inspect import loss_by_context
from sweeps.store.store import Store


def test_the_losses_of_the_parts_add_up_to_the_whole(trained_sweep, capsys):
    assert context_command.run(context_command.Options(sweep=str(trained_sweep), tokens="500")) == 0
    table = pd.read_parquet(trained_sweep / "context.parquet")
    assert table["P"].tolist() == [1, 4]  # the run of P = 2 is not finished
    rng, row = np.random.default_rng(0), table.iloc[1]
    model = released_format.load_checkpoint(Store(trained_sweep).checkpoint(row["run_id"]))
    ids = torch.from_numpy(rng.integers(0, 5, (6, 17)))
    found = loss_by_context.loss_of_parts(model, [(ids[:4, :-1], ids[:4, 1:]), (ids[4:, :-1], ids[4:, 1:])])
    assert sum(found[f"share_{part}"] for part in ("repeated", "seen", "new")) == pytest.approx(1)
    whole = model.loss(ids[:, :-1], ids[:, 1:]).item()
    parts = sum(found[f"share_{part}"] * found[f"loss_{part}"] for part in ("repeated", "seen", "new"))
    assert parts == pytest.approx(whole, rel=1e-5)
    assert found["loss_start"] == pytest.approx(whole, rel=1e-5)  # windows of 16: all of it is their start
    said = capsys.readouterr().out
    assert "context.parquet" in said
    assert "loss_new" in said


def test_a_fit_reads_a_part_as_its_loss(trained_sweep):
    context_command.run(context_command.Options(sweep=str(trained_sweep), tokens="500"))
    runs = scaling.read_runs(trained_sweep / "context.parquet", {"loss": "loss_start"})
    table = pd.read_parquet(trained_sweep / "context.parquet")
    assert runs["loss"].tolist() == table["loss_start"].tolist()
