"""Models as runs build them: one backbone for every P."""

import torch

from sweeps.training.lightning_module import build_model
from tests.sweeps.planned_run import config


def test_backbones_are_paired_across_streams():
    plain = build_model(config(P=1)).state_dict()
    wide = build_model(config(P=4)).state_dict()
    assert all(torch.equal(plain[name], wide[name]) for name in plain)
    other = build_model(config(seed=4)).state_dict()
    assert any(not torch.equal(plain[name], other[name]) for name in plain)
