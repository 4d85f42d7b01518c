"""Weights & Biases, with a fake package: what each run of a worker logs."""

import sys
from dataclasses import replace
from types import ModuleType

import pytest

from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig


class FakeRun:
    def __init__(self, **given):
        self.given, self.points, self.open = given, [], True

    def log(self, point):
        assert self.open
        self.points.append(point)

    def define_metric(self, *_, **__):
        pass


@pytest.fixture
def wandb(monkeypatch):
    """The package as Lightning and we use it: one run open at a time in `run`, every run in `begun`."""
    fake = ModuleType("wandb")
    fake.run, fake.begun = None, []

    def init(**given):
        fake.run = FakeRun(**given)
        fake.begun.append(fake.run)
        return fake.run

    def finish():
        fake.run.open = False
        fake.run = None

    fake.init, fake.finish = init, finish
    lib, run = ModuleType("wandb.sdk.lib"), ModuleType("wandb.wandb_run")
    lib.RunDisabled, run.Run = type("RunDisabled", (), {}), FakeRun
    for module in (fake, ModuleType("wandb.sdk"), lib, run):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("lightning.pytorch.loggers.wandb._WANDB_AVAILABLE", True)
    return fake


def test_every_run_of_a_worker_is_a_run_of_its_own_there(corpus, tmp_path, wandb):
    from sweeps.training.train import train

    model = ModelConfig(vocab=300, width=16, ffn=32, layers=1, heads=2, kv_heads=1, P=2, prefix_tokens=2)
    first = RunConfig(
        model, "mine", "16x1", seed=0, corpus=corpus, steps=4, batch=2, seq_len=16, eval_tokens=400
    )
    runs = [first, replace(first, seed=1)]
    execution = Execution(threads=1, accelerator="cpu", loggers="wandb")
    rows = [train(run, tmp_path / str(run.seed), execution=execution) for run in runs]
    assert len(wandb.begun) == 2
    for run, row, there in zip(runs, rows, wandb.begun, strict=True):
        told = there.given
        assert (told["project"], told["id"], told["name"]) == ("mine", run.run_id, run.run_id)
        assert (told["resume"], told["dir"]) == ("allow", str(tmp_path / str(run.seed)))
        assert told["config"]["model"]["P"] == 2
        assert [point["trainer/global_step"] for point in there.points] == [1, 2, 3, 4]
        assert there.points[-1]["val_loss"] == row["loss"]
        assert there.points[-1]["tokens"] == 4 * 32
        assert "val_loss" not in there.points[0]
    assert not wandb.begun[0].open
