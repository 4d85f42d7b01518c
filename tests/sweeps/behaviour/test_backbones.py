"""Other backbones: transformers' own Qwen2, Qwen3 and Qwen3-MoE on random weights."""

from dataclasses import replace

import pytest
import torch

from sweeps.checkpoint import released_format
from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM

TINY = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5)
MOE = replace(TINY, experts=4, experts_per_token=2, qk_norm=True, qkv_bias=False, head_dim=8)
pytestmark = pytest.mark.usefixtures("one_thread")


def reference(family, tied, **kwargs):
    """A random model of transformers, every parameter away from its default."""
    transformers = pytest.importorskip("transformers")
    config = getattr(transformers, f"{family}Config")(
        vocab_size=61,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        max_position_embeddings=64,
        attn_implementation="eager",
        **kwargs,
    )
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm" in name else 0.0, 0.2)
    return model


FAMILIES = [
    ("Qwen2", True, {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}),
    ("Qwen2", False, {}),
    ("Qwen3", True, {"head_dim": 8}),
    ("Qwen3", False, {"head_dim": 6, "rms_norm_eps": 1e-5}),
    (
        "Qwen3Moe",
        False,
        {
            "head_dim": 8,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 20,
            "norm_topk_prob": True,
        },
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "tied", "kwargs"), FAMILIES)
def test_transformers_own_logits(family, tied, kwargs, tmp_path):
    theirs = reference(family, tied, **kwargs)
    theirs.save_pretrained(tmp_path)
    ours, ids = released_format.load_checkpoint(tmp_path), torch.randint(61, (2, 17))
    mask = torch.ones(2, 17, dtype=torch.long)
    mask[1, :5] = 0
    with torch.no_grad():
        torch.testing.assert_close(ours(ids), theirs(ids).logits, atol=1e-4, rtol=1e-4)
        positions = (mask.cumsum(-1) - 1).clamp_min(0)
        padded = theirs(ids, attention_mask=mask, position_ids=positions).logits
        torch.testing.assert_close(ours(ids, mask)[1, 5:], padded[1, 5:], atol=1e-4, rtol=1e-4)
    grown = released_format.grow(ours, 3, prefix_tokens=4)
    assert torch.isfinite(grown(ids)).all()


@pytest.mark.slow
@pytest.mark.parametrize("change", [{}, {"qk_norm": True, "qkv_bias": False}])
def test_transformers_reads_our_plain_exports(change, tmp_path):
    transformers = pytest.importorskip("transformers")
    ours = ParScaleLM(replace(TINY, init_std=0.2, rope_base=3e4, **change)).eval()
    released_format.save_checkpoint(ours, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    ids = torch.randint(61, (2, 17))
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, ours(ids), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("P", [1, 3])
@pytest.mark.parametrize("base", [replace(TINY, qk_norm=True), MOE])
def test_counts(base, P):
    config = replace(base, P=P)
    model = ParScaleLM(config)
    built = {name: p.numel() for name, p in model.named_parameters() if "embed_tokens" not in name}
    assert sum(built.values()) == config.N
    idle = [n for name, n in built.items() if ".experts.2." in name or ".experts.3." in name]
    assert config.active_N == config.N - sum(idle)


@pytest.mark.parametrize("experts", [0, 4])
def test_flops_but_attentions_are_those_that_torch_counts(experts):
    """A token meets the chosen experts and the router."""
    from torch.utils.flop_counter import FlopCounterMode

    config, T = replace(MOE, experts=experts), 16
    model, ids = ParScaleLM(config).eval(), torch.arange(T)[None]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(ids)
    counted = sum(n for op, n in counter.get_flop_counts()["Global"].items() if "attention" not in str(op))
    attention = 4 * config.layers * config.heads * 8 * (T + 1) / 2  # a query and the keys it sees, twice
    assert config.forward_flops(T) - attention == pytest.approx(counted / T)
    behind = replace(config, prefix_at_one=True, prefix_tokens=5)
    assert behind.forward_flops(T) - config.forward_flops(T) == 4 * config.layers * config.heads * 8 * 5


def test_balance_loss_enters_the_gradient_and_not_the_value():
    model, ids = ParScaleLM(replace(MOE, balance_weight=0.5)).train(), torch.randint(61, (2, 12))
    loss = model.loss(ids, ids)
    assert model.balance().item() == pytest.approx(1, rel=0.5)
    assert loss.item() == pytest.approx(model.loss(ids, ids, "none").mean().item(), rel=1e-6)
    gate = model.model.layers[0].mlp.gate.weight
    with_balance = torch.autograd.grad(model.loss(ids, ids), gate)[0]
    without = torch.autograd.grad(model.eval().loss(ids, ids), gate)[0]
    loss = model.loss(ids, ids)
    balance = torch.autograd.grad(model.balance(), gate)[0]
    torch.testing.assert_close(with_balance, without + 0.5 * balance)


def test_balance_survives_gradient_checkpointing():
    model, ids = ParScaleLM(replace(MOE, P=2, balance_weight=0.5)).train(), torch.randint(61, (2, 12))
    plain = torch.autograd.grad(model.loss(ids, ids), list(model.parameters()))
    model.gradient_checkpointing = True
    kept = torch.autograd.grad(model.loss(ids, ids), list(model.parameters()))
    torch.testing.assert_close(kept, plain)
