"""Callbacks of a run: when it is evaluated, and a loss that leaves all bounds ends it as diverged."""

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from sweeps.model.parscale import ParScaleLM
from sweeps.training.callbacks import evaluation_steps
from sweeps.training.evaluate import evaluate_corpus
from sweeps.training.train import train
from tests.sweeps.small_run import ONE, config

RUN = config("x")


@pytest.mark.parametrize(
    ("steps", "evaluations", "expected"),
    [(24, 1, {24}), (24, 3, {8, 16, 24}), (10, 4, {2, 5, 8, 10}), (2, 5, {0, 1, 2})],
)
def test_evaluations_are_spread_evenly_and_the_last_step_has_one(steps, evaluations, expected):
    assert evaluation_steps(replace(RUN, steps=steps, evaluations=evaluations)) == expected


@pytest.fixture
def training_loss(monkeypatch):
    """Add to a run's training loss what a function of the step says."""
    loss = ParScaleLM.loss

    def change(added):
        steps = itertools.count()

        def changed(model, *args, **more):
            return loss(model, *args, **more) + (added(next(steps)) if model.training else 0.0)

        monkeypatch.setattr(ParScaleLM, "loss", changed)

    return change


def test_a_training_loss_that_is_no_number_ends_the_run_as_diverged(corpus, tmp_path, training_loss):
    training_loss(lambda step: math.nan if step == 6 else 0.0)
    row = train(config(corpus, spike=1e9), tmp_path, execution=ONE)  # no spike is that high
    assert (row["status"], row["ended_step"]) == ("diverged", 7)
    assert re.search(r"\bnan\b.*\b7\b", row["ended_why"])
    curve = pd.read_parquet(tmp_path / "curve.parquet")
    assert curve.train_loss.iloc[:6].notna().all()
    assert curve.step.max() <= 7
    assert not (tmp_path / "config.json").exists()


def test_a_spike_ends_the_run_as_diverged(corpus, tmp_path, training_loss):
    training_loss(lambda step: 6.0 if step >= 30 else 0.0)
    row = train(config(corpus, steps=60, spike=5.0), tmp_path / "high", execution=ONE)
    assert (row["status"], row["ended_step"]) == ("diverged", 40)
    assert "5 (spike)" in row["ended_why"]
    curve = pd.read_parquet(tmp_path / "high" / "curve.parquet")
    assert curve.step.max() == 40  # the end of the first interval of 10 steps that is so high
    assert np.isfinite(curve.train_loss).all()
    row = train(config(corpus, steps=60, spike=7.0), tmp_path / "lower", execution=ONE)
    assert row["status"] == "ok"
    assert "ended_why" not in row


def test_a_gradient_that_is_no_number_is_named_at_its_own_step(corpus, tmp_path, monkeypatch):
    whole = torch.nn.utils.clip_grad_norm_
    norms = []

    def measured(*args):
        norms.append(whole(*args))
        return norms[-1] * math.inf if len(norms) == 5 else norms[-1]

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", measured)
    row = train(config(corpus), tmp_path, execution=ONE)
    assert (row["status"], row["ended_step"]) == ("diverged", 5)
    assert re.search(r"\binf\b", row["ended_why"])


@pytest.mark.parametrize("bad_at", [1, 2])
def test_a_held_out_loss_that_is_no_number_ends_the_run_as_diverged(corpus, tmp_path, monkeypatch, bad_at):
    seen = []

    def measured(*args):
        seen.append(evaluate_corpus(*args))
        return replace(seen[-1], loss=math.nan) if len(seen) == bad_at else seen[-1]

    monkeypatch.setattr("sweeps.training.callbacks.evaluate_corpus", measured)
    row = train(config(corpus, evaluations=2), tmp_path, execution=ONE)
    assert row["status"] == "diverged"
    assert math.isnan(row["loss"])
    curve = pd.read_parquet(tmp_path / "curve.parquet")
    assert curve.step.max() == 12 * bad_at
    assert np.isfinite(curve.train_loss).all()
    assert not (tmp_path / "config.json").exists()


def test_a_loss_that_explodes_ends_the_run_as_diverged(corpus, tmp_path):
    run = config(corpus, steps=80, lr=300.0, clip=1e9, warmup=0.7, spike=0.5)
    row = train(run, tmp_path / "run", execution=ONE)
    assert row["status"] == "diverged"
    assert math.isnan(row["loss"])
    assert len(pd.read_parquet(tmp_path / "run" / "curve.parquet")) < 80
