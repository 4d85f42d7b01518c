"""Which weights a run trains, at what rate, along which schedule, and what its streams begin from."""

from dataclasses import replace

import pytest

from sweeps.training.lightning_module import build_model
from sweeps.training.optimizers import build_optimizer, parameter_groups
from tests.sweeps.planned_run import config

pytest.importorskip("torch")


def test_only_matrices_decay_and_extras_have_their_own_rate():
    run = config(P=2, extras_lr=0.25)
    model = build_model(run)
    groups = parameter_groups(model, run)
    assert sum(len(g) for g in groups.values()) == len(list(model.parameters()))
    assert all(name.endswith("proj.weight") for name, _ in groups["matrices"])
    assert {name.split(".")[-1] for name, _ in groups["extras_other"]} == {"prefix_k", "prefix_v", "bias"}
    for kind in ("adamw", "muon"):
        for group in build_optimizer(model, replace(run, optimizer=kind)).param_groups:
            decays = {p.dim() == 2 and p is not model.model.embed_tokens.weight for p in group["params"]}
            assert decays == {group["weight_decay"] > 0}


def test_peft_trains_only_what_parscale_adds():
    run = config(P=2, recipe="peft", parent="a checkpoint")
    groups = parameter_groups(build_model(run), run)
    assert not groups["matrices"]
    assert not groups["other"]
    assert groups["extras_matrices"]
