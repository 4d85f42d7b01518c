"""P = 1 with a prefix, the control that tells prefixes from streams."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from sweeps.checkpoint import released_format  # noqa: E402
from sweeps.checkpoint.stream_bank import view  # noqa: E402
from sweeps.config.model import ModelConfig  # noqa: E402
from sweeps.grids.grids import Axes, find  # noqa: E402
from sweeps.model.parscale import ParScaleLM  # noqa: E402

PLAIN = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5, init_std=0.3)
ALONE = replace(PLAIN, prefix_at_one=True)
IDS = torch.arange(2 * 12).view(2, 12) % 61


def made(config: ModelConfig) -> ParScaleLM:
    torch.manual_seed(3)
    return ParScaleLM(config).eval()


def test_the_backbone_is_that_of_plain_p_1_and_the_prefix_is_counted():
    plain, alone = made(PLAIN), made(ALONE)
    extra = sum(p.numel() for name, p in alone.named_parameters() if "prefix" in name)
    assert ALONE.N - PLAIN.N == extra == 2 * 5 * 2 * 6 * 2
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, dict(alone.named_parameters())[name]), name
    assert not torch.allclose(plain(IDS), alone(IDS), atol=1e-3)
    assert torch.equal(view(alone)(IDS), plain(IDS))


def test_it_is_causal_and_a_cache_holds_the_prefix():
    model = made(ALONE)
    whole = model(IDS)
    assert torch.allclose(model(IDS[:, :7]), whole[:, :7], atol=1e-5)
    cache = model.new_cache(2, 12)
    parts = [model(IDS[:, :7], None, cache), model(IDS[:, 7:], None, cache)]
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-5)


def test_it_is_saved_loaded_and_left_behind_when_streams_are_grown(tmp_path):
    model = made(ALONE)
    loaded = released_format.load_checkpoint(released_format.save_checkpoint(model, tmp_path))
    assert loaded.config == replace(ALONE, init_std=loaded.config.init_std)
    assert torch.equal(loaded(IDS), model(IDS))
    grown = released_format.grow(model, 2, prefix_tokens=3)
    assert (grown.config.P, grown.config.K, grown.config.prefix_at_one) == (2, 3, False)


def test_it_learns():
    model = made(ALONE).train()
    model.loss(IDS[:, :-1], IDS[:, 1:]).backward()
    assert all(a.prefix_k.grad.abs().max() > 0 and a.prefix_v.grad.abs().max() > 0 for a in model.attentions)


def test_a_prefix_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"prefix_tokens.*>=.*1.*0"):
        replace(ALONE, prefix_tokens=0)


def test_the_controls_change_one_thing():
    laptop = {(r.size, r.model.P, r.seed): r for r in find("laptop")()}
    for name, field in (("prefix_alone", "prefix_at_one"), ("even", "smoothing")):
        for run in find(f"results/grids/controls.py:{name}")(Axes(seeds=(0,))):
            other = laptop[run.size, run.model.P, run.seed]
            same = replace(run.model, **{field: getattr(other.model, field)})
            assert replace(run, sweep="laptop", model=same) == other
            assert run != other
