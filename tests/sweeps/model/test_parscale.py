"""The model against the published implementation's answers, the counts, causality, initialisation."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures"
TINY = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5)


pytestmark = pytest.mark.usefixtures("one_thread")


def official(P):
    """The fixture of P streams: the model as loaded by hand, what it must answer."""
    folder = FIXTURES / f"official_p{P}"
    about = json.loads((folder / "config.json").read_text())
    config = ModelConfig(
        vocab=160,
        width=48,
        ffn=112,
        layers=2,
        heads=4,
        kv_heads=2,
        P=P,
        prefix_tokens=6,
        smoothing=about["parscale_attn_smooth"],
        rope_base=about["rope_theta"],
        tied_embeddings=about["tie_word_embeddings"],
    )
    model = ParScaleLM(config)
    model.load_state_dict(load_file(folder / "model.safetensors"))
    expected = json.loads((folder / "expected.json").read_text())
    return model, load_file(folder / "expected.safetensors"), expected


def random_ids(config, batch=2, tokens=12):
    return torch.randint(config.vocab, (batch, tokens))


def train_step(model, ids, **kwargs):
    loss = model.loss(ids[:, :-1], ids[:, 1:], **kwargs)
    model.zero_grad()
    loss.backward()
    return loss.item(), {name: p.grad.clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("P", [1, 2, 4])
def test_published_logits(P):
    model, tensors, expected = official(P)
    assert (model(tensors["input_ids"]) - tensors["logits"]).abs().max() < 1e-4
    assert expected["non_embedding_parameters"] == model.config.N


@pytest.mark.parametrize("P", [1, 2, 4])
def test_published_loss_and_gradients(P):
    model, tensors, expected = official(P)
    loss, gradients = train_step(model, tensors["input_ids"])
    assert loss == pytest.approx(expected["loss"], rel=1e-4)
    norms = {name: gradient.norm().item() for name, gradient in gradients.items()}
    assert norms == pytest.approx(expected["grad_norms"], rel=1e-4)


def published_sizes():
    with (ROOT / "results/published/architectures.csv").open() as lines:
        shapes = {row["paper_size_label"]: row for row in csv.DictReader(lines)}
    with (ROOT / "results/published/losses.csv").open() as lines:
        counts = {(r["size"], int(r["P"])): int(r["N"]) for r in csv.DictReader(lines)}
    return [pytest.param(shapes[size], P, N, id=f"{size}-P{P}") for (size, P), N in counts.items()]


@pytest.mark.parametrize(("row", "P", "N"), published_sizes())
def test_published_counts(row, P, N):
    config = ModelConfig(
        vocab=int(row["vocab"]),
        width=int(row["hidden"]),
        ffn=int(row["intermediate"]),
        layers=int(row["layers"]),
        heads=int(row["heads"]),
        kv_heads=int(row["kv_heads"]),
        P=P,
    )
    with torch.device("meta"):
        model = ParScaleLM(config)
    embedding = model.model.embed_tokens.weight.numel()
    assert sum(p.numel() for p in model.parameters()) - embedding == N


def test_all_24_published_sizes_are_there():
    assert len(published_sizes()) == 24


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("P", [1, 3, 8])
def test_causality(P, padding):
    model = ParScaleLM(replace(TINY, P=P, init_std=0.3)).eval()
    ids, changed = random_ids(TINY), 7
    mask = torch.ones_like(ids)
    mask[0, :padding] = 0
    other = ids.clone()
    other[:, changed] = (ids[:, changed] + 1) % TINY.vocab
    before, after = model(ids, mask), model(other, mask)
    assert torch.equal(before[:, padding:changed], after[:, padding:changed])
    assert not torch.allclose(before[:, changed:], after[:, changed:])


@pytest.mark.parametrize("P", [1, 3])
def test_left_padding_changes_nothing(P):
    model = ParScaleLM(replace(TINY, P=P, init_std=0.3)).eval()
    ids = random_ids(TINY)
    padded = torch.cat([torch.zeros(2, 4, dtype=torch.long), ids], dim=1)
    mask = torch.cat([torch.zeros(2, 4), torch.ones(2, 12)], dim=1)
    torch.testing.assert_close(model(padded, mask)[:, 4:], model(ids), atol=2e-5, rtol=1e-4)


def test_prefixes_may_begin_further_apart_than_the_rest():
    made = []
    for std in (0.02, 1.0):
        torch.manual_seed(7)
        made.append(dict(ParScaleLM(replace(TINY, P=2, prefix_std=std)).named_parameters()))
    plain, parted = made
    for name, parameter in plain.items():
        factor = 50 if "prefix_" in name else 1
        torch.testing.assert_close(parted[name], factor * parameter)


@pytest.mark.parametrize("P", [2, 3])
def test_aggregating_few_tokens_and_many_is_the_same(P):
    model = ParScaleLM(replace(TINY, P=P, init_std=0.3))
    streams = torch.randn(P, 2, TINY.width, TINY.width)
    mixed, weights = model.aggregate(streams)
    for token in range(3):
        few = model.aggregate(streams[:, :, token : token + 1])
        torch.testing.assert_close(few[0], mixed[:, token : token + 1])
        torch.testing.assert_close(few[1], weights[:, token : token + 1])


def test_streams_part():
    model = ParScaleLM(replace(TINY, P=3, init_std=0.3))
    summary = model.stream_summary(random_ids(TINY))
    assert summary.weights.sum().item() == pytest.approx(1)
    assert torch.diagonal(summary.similarity).tolist() == pytest.approx([1, 1, 1])
    assert summary.similarity[0, 1] < 0.99


def test_smoothing_bounds_every_weight():
    model = ParScaleLM(replace(TINY, P=4, smoothing=0.2))
    with torch.no_grad():
        model.model.aggregate_layer[2].bias[1] = 1e4  # a collapsed softmax
    _, weights = model.aggregate(model.streams(random_ids(TINY)))
    assert weights.min().item() == pytest.approx(0.2 / 4)
    assert weights.max().item() == pytest.approx(1 - 0.2 + 0.2 / 4)


@pytest.mark.parametrize("P", [2, 6])
def test_backbone_starts_the_same_for_every_P(P):
    torch.manual_seed(7)
    base, after = ParScaleLM(TINY).state_dict(), torch.rand(())
    torch.manual_seed(7)
    wide, after_wide = ParScaleLM(replace(TINY, P=P)).state_dict(), torch.rand(())
    assert all(torch.equal(base[name], wide[name]) for name in base)
    assert after == after_wide
    prefix = wide["model.layers.0.self_attn.prefix_k"]
    assert prefix.std().item() == pytest.approx(0.02, rel=0.2)
    assert not torch.equal(prefix[0], prefix[1])


def test_loss_is_cross_entropy_of_the_logits(monkeypatch):
    monkeypatch.setattr("sweeps.model.chunked_loss.chunk_rows", lambda weight: 5)
    model = ParScaleLM(replace(TINY, P=2, init_std=0.2))
    ids, targets = random_ids(TINY), random_ids(TINY)
    targets[0, :4] = -100
    plain = torch.nn.functional.cross_entropy(model(ids).flatten(0, 1), targets.flatten())
    wanted = torch.autograd.grad(plain, list(model.parameters()))
    each = model.loss(ids, targets, "none")
    assert each[0, :4].abs().max() == 0
    for loss in (model.loss(ids, targets), each.sum() / (targets != -100).sum()):
        torch.testing.assert_close(loss, plain)
        got = torch.autograd.grad(loss, list(model.parameters()))
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-4)


def test_head_only_gradient():
    """A frozen LM head and a frozen backbone get no gradient."""
    model = ParScaleLM(replace(TINY, P=2, tied_embeddings=False))
    model.lm_head.weight.requires_grad_(False)
    ids = random_ids(TINY)
    model.loss(ids, ids).backward()
    assert model.lm_head.weight.grad is None
    assert model.model.layers[0].self_attn.prefix_k.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"P": 0}, r"\bP\b.*1.*0"),
        ({"kv_heads": 3}, "kv_heads.*=.*3.*=.*4"),
        ({"width": 25}, "heads = 4.*width = 25"),
        ({"head_dim": 7}, "head_dim"),
        ({"P": 2, "prefix_tokens": 0}, "P.*=.*2.*prefix_tokens.*>=.*1"),
        ({"smoothing": 1.5}, "smoothing"),
        ({"experts": 2, "experts_per_token": 3}, "experts_per_token.*3"),
    ],
)
def test_wrong_configurations(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(1, 0, dtype=torch.long), "empty prompt"),
        (torch.tensor([[3, 61]]), "unknown token 61"),
        (torch.tensor([[-2, 5]]), "unknown token -2"),
        (torch.tensor([3, 4]), r"shape \(B, T\)"),
    ],
)
def test_wrong_input(ids, message):
    with pytest.raises(ValueError, match=message):
        ParScaleLM(TINY)(ids)


def test_wrong_reduction_and_targets():
    model, ids = ParScaleLM(TINY), random_ids(TINY)
    with pytest.raises(ValueError, match="reduction"):
        model.loss(ids, ids, "sum")
    with pytest.raises(ValueError, match="targets"):
        model.loss(ids, ids[:, 1:])
