"""Width transfer: what is drawn and learns how, relative to the base. Nothing changes at the base or without one."""

from dataclasses import replace

import pytest
import torch

from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM
from sweeps.model.width_transfer import WidthScale, width_scale
from sweeps.training.optimizers import build_optimizer
from tests.sweeps.planned_run import config

WIDE = ModelConfig(300, 128, 384, 2, 8, 4, P=2, prefix_tokens=4, mup_base=32)  # m = 4


def test_every_kind_of_parameter_has_the_factors_of_its_kind():
    def of(name, dimensions=2, model=WIDE):
        return width_scale(name, dimensions, model)

    untied = replace(WIDE, tied_embeddings=False)
    hidden = WidthScale(0.5, 0.25, 0.5)
    assert of("model.layers.0.mlp.gate_proj.weight") == of("model.layers.1.self_attn.q_proj.weight") == hidden
    assert of("model.layers.0.mlp.gate.weight") == WidthScale(0.25, 0.25, 0.25)  # a router
    assert of("model.embed_tokens.weight") == of("model.layers.0.self_attn.prefix_k", 4) == WidthScale()
    assert (
        of("model.layers.0.input_layernorm.weight", 1)
        == of("model.layers.0.self_attn.q_proj.bias", 1)
        == WidthScale()
    )
    assert of("model.norm.weight", 1) == WidthScale(0.25, 0.25)
    assert of("model.norm.weight", 1, untied) == WidthScale()
    assert of("lm_head.weight", model=untied) == WidthScale(0.25, 0.25, 0.25)
    assert of("model.aggregate_layer.0.weight") == WidthScale(2.0, 1.0)
    assert of("model.aggregate_layer.0.weight", model=untied) == hidden
    assert of("model.aggregate_layer.2.weight") == WidthScale(0.25, 0.25, 0.25)
    for plain in (replace(WIDE, mup_base=0), replace(WIDE, mup_base=128)):
        assert {width_scale(name, p.dim(), plain) for name, p in ParScaleLM(plain).named_parameters()} == {
            WidthScale()
        }


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_rates_times_decay_stay_and_groups_split_by_width_alone(optimizer):
    run = config(P=2, optimizer=optimizer)
    plain = build_optimizer(
        ParScaleLM(replace(WIDE, mup_base=0)), replace(run, model=replace(WIDE, mup_base=0))
    )
    assert len(plain.param_groups) == 4
    scaled = build_optimizer(ParScaleLM(WIDE), replace(run, model=WIDE))
    assert len(scaled.param_groups) > 4
    parameters = [p for group in scaled.param_groups for p in group["params"]]
    assert (
        len(parameters)
        == len({id(p) for p in parameters})
        == sum(len(g["params"]) for g in plain.param_groups)
    )
    decays = {round(g["peak"] * g["weight_decay"], 12) for g in scaled.param_groups}
    assert decays == {round(g["peak"] * g["weight_decay"], 12) for g in plain.param_groups}
    assert min(g["peak"] for g in scaled.param_groups) == pytest.approx(run.lr / 4)


def test_weights_are_the_same_draws_scaled():
    torch.manual_seed(3)
    plain = dict(ParScaleLM(replace(WIDE, mup_base=0)).named_parameters())
    torch.manual_seed(3)
    for name, value in ParScaleLM(WIDE).named_parameters():
        torch.testing.assert_close(value, plain[name] * width_scale(name, value.dim(), WIDE).std)
