"""Stream diagnostics against the same quantities computed the long way."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from sweeps.config.model import ModelConfig
from sweeps.inspect.stream_diagnostics import chosen_subsets, diagnose, ensemble_table
from sweeps.model.parscale import ParScaleLM

TINY = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5, init_std=0.3)


pytestmark = pytest.mark.usefixtures("one_thread")


def text(batches=2):
    return [tuple(torch.randint(61, (2, 3, 9))) for _ in range(batches)]


@torch.no_grad()
def test_against_full_probabilities():
    model, batches = ParScaleLM(replace(TINY, P=3)), text()
    report = diagnose(model, batches)
    inputs, targets = (torch.cat(part) for part in zip(*batches, strict=True))
    streams = model.streams(inputs)
    probability = (streams @ model.head.T).softmax(dim=-1)  # (P, Q, T, V)
    right = probability.gather(-1, targets.expand(3, -1, -1)[..., None])[..., 0]
    assert report.tokens == targets.numel()
    assert report.loss == pytest.approx(model.loss(inputs, targets).item(), rel=1e-5)
    assert report.streams["loss"].tolist() == pytest.approx(
        (-right.log()).mean(dim=(1, 2)).tolist(), rel=1e-5
    )
    for m, loss in zip(report.ensemble["m"], report.ensemble["loss"], strict=True):
        each = [-right[list(s)].mean(dim=0).log().mean().item() for s in combinations(range(3), m)]
        assert loss == pytest.approx(np.mean(each), rel=1e-5)
    weights = model.aggregate(streams)[1]
    assert report.streams["weight"].tolist() == pytest.approx(weights.mean(dim=(0, 1)).tolist(), rel=1e-5)
    assert report.entropy == pytest.approx(-(weights * weights.log()).sum(-1).mean().item(), rel=1e-5)
    cosine = torch.nn.functional.cosine_similarity(streams[0], streams[2], dim=-1).mean().item()
    overlap = (probability[0] * probability[2]).sqrt().sum(-1).mean().item()
    pair = report.pairs.set_index(["first", "second"]).loc[(0, 2)]
    assert pair["hidden_similarity"] == pytest.approx(cosine, rel=1e-5)
    assert pair["prediction_overlap"] == pytest.approx(overlap, rel=1e-5)


def test_equal_streams():
    model = ParScaleLM(replace(TINY, P=4))
    with torch.no_grad():
        for attention in model.attentions:
            for prefix in (attention.prefix_k, attention.prefix_v):
                prefix.copy_(prefix[:1].expand_as(prefix))
        for parameter in model.model.aggregate_layer.parameters():
            parameter.zero_()
    report = diagnose(model, text())
    assert report.entropy == pytest.approx(math.log(4), rel=1e-5)
    assert report.pairs["hidden_similarity"].tolist() == pytest.approx([1] * 6, rel=1e-5)
    assert report.pairs["prediction_overlap"].tolist() == pytest.approx([1] * 6, rel=1e-5)
    assert report.ensemble["gain"].abs().max() < 1e-6
    assert report.rho(E=1.0) == pytest.approx(1, abs=1e-5)


def test_proposition_one_on_small_residuals():
    """Streams p (1 + e_i), e_i of deviation s and correlation rho: the gain is s^2/2 (1-rho)(1-1/m)."""
    rng, s, rho = np.random.default_rng(1), 0.08, 0.35
    common, own = rng.normal(size=(1, 200, 300)), rng.normal(size=(6, 200, 300))
    losses = 1.7 - np.log1p(s * (math.sqrt(rho) * common + math.sqrt(1 - rho) * own))
    table = ensemble_table(losses)
    theory = s**2 / 2 * (1 - rho) * (1 - 1 / table["m"])
    assert table["gain"].to_numpy() == pytest.approx(theory.to_numpy(), rel=0.03, abs=1e-12)
    assert (table["gain_se"].iloc[1:] < table["loss_se"].iloc[1:]).all()
    assert table["subsets"].tolist() == [6, 15, 20, 15, 6, 1]


def test_subsets_are_sampled_when_there_are_many():
    rng = np.random.default_rng(0)
    drawn = chosen_subsets(16, 8, 20, rng)
    assert len(set(drawn)) == 20
    assert all(len(set(s)) == 8 for s in drawn)
    assert chosen_subsets(4, 2, 20, rng) == list(combinations(range(4), 2))


def test_one_stream_gains_nothing():
    report = diagnose(ParScaleLM(TINY), text(1))
    assert len(report.pairs) == 0
    assert report.ensemble["gain"].tolist() == [0]
    assert report.streams["weight"].tolist() == [1]
    assert math.isnan(report.gain_slope)


def test_wrong_calls():
    model = ParScaleLM(replace(TINY, P=2))
    with pytest.raises(ValueError, match="batches"):
        diagnose(model, [])
    with pytest.raises(ValueError, match=r"E.*=.*99"):
        diagnose(model, text()).rho(E=99)
