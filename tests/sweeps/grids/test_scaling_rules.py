"""How a grid derives a run from its size and P: one rule for small grids, the paper's for its own."""

import pytest

from sweeps.grids.grids import Axes, find
from sweeps.grids.scaling_rules import (
    PAPER_SIZES,
    SmallRule,
    paper_run,
    parse_width_layers,
    small_model,
    steps_for,
)

RULE = SmallRule(vocab=512, batch=8, seq_len=64, lr=0.008, muon_lr=0.02)


def test_a_size_names_width_layers_and_experts():
    assert parse_width_layers("64x4") == (64, 4, 0)
    assert parse_width_layers("128x12e16") == (128, 12, 16)


def test_a_small_model_has_two_heads_a_kv_head_and_an_mlp_of_whole_16s():
    model = small_model("96x3", 4, 300, 16, 5)
    assert (model.width, model.layers, model.heads, model.kv_heads) == (96, 3, 6, 3)
    assert (model.ffn, model.P, model.vocab, model.prefix_tokens, model.experts) == (256, 4, 300, 5, 0)
    assert small_model("64x3", 1, 300, 16, 5).ffn == 176  # 8/3 of 64 is 170.7
    mixture = small_model("96x3e8", 1, 300, 16, 5)
    assert (mixture.experts, mixture.ffn) == (8, 128)


def test_a_width_that_heads_do_not_fill_is_refused():
    with pytest.raises(ValueError, match=r"48.*32"):
        small_model("48x3", 1, 300, 16, 5)


@pytest.mark.parametrize(("tokens", "steps"), [(5120, 10), (5400, 11), (1, 1), (0, 1), (10**9, 1_953_125)])
def test_steps_are_whole_and_at_least_one(tokens, steps):
    assert steps_for(tokens, 8, 64) == steps


@pytest.mark.parametrize(("power", "rate"), [(0.5, 0.008 / 2), (0.0, 0.008), (1.0, 0.008 / 4)])
def test_rates_fall_with_the_width(power, rate):
    rule = SmallRule(vocab=512, batch=8, seq_len=64, lr=0.008, muon_lr=0.02, lr_power=power)
    run = rule.run("s", "256x2", 2, "stdlib", 3, Axes(tokens=5120))
    assert run.lr == pytest.approx(rate)
    assert run.muon_lr == pytest.approx(0.01)
    at_64 = rule.run("s", "64x2", 2, "stdlib", 3, Axes(tokens=5120))
    assert (at_64.lr, at_64.muon_lr) == (0.008, 0.02)


def test_a_run_is_complete_and_its_further_settings_are_kept():
    rule = SmallRule(**{**RULE.__dict__, "settings": (("warmup", 0.2), ("schedule", "wsd"))})
    run = rule.run("s", "64x2", 2, "stdlib", 3, Axes(tokens=5120, repeat=True))
    assert (run.sweep, run.size, run.model.P, run.corpus, run.seed) == ("s", "64x2", 2, "stdlib", 3)
    assert (run.steps, run.batch, run.seq_len, run.optimizer, run.repeat) == (10, 8, 64, "muon", True)
    assert (run.warmup, run.schedule) == (0.2, "wsd")
    assert not RULE.run("s", "64x2", 2, "stdlib", 3, Axes(tokens=5120)).repeat


def test_the_rule_in_words_holds_every_number():
    words = SmallRule(**{**RULE.__dict__, "prefix_std": 0.3, "settings": (("warmup", 0.2),)}).describe()
    for number in ("512", "8 x 64", "0.008", "0.02", "0.3", "warmup=0.2"):
        assert number in words


@pytest.mark.parametrize("size", list(PAPER_SIZES))
def test_a_run_of_the_papers_has_its_shape_and_its_batch(size):
    run = paper_run("paper", size, 8, "pile", 0, Axes(tokens=42_000_000_000))
    assert (run.model.width, run.model.ffn) == PAPER_SIZES[size]
    assert (run.model.layers, run.model.heads, run.model.kv_heads, run.model.vocab) == (36, 16, 2, 151_936)
    assert run.batch * run.seq_len == 2**21
    assert run.warmup * run.steps == pytest.approx(2000)
    assert paper_run("paper", size, 8, "pile", 0, Axes(tokens=2**21)).warmup == 0.5  # no more than half


def test_a_size_that_the_paper_has_not_is_refused():
    with pytest.raises(ValueError, match="'9B'"):
        paper_run("paper", "9B", 8, "pile", 0, Axes(tokens=1))


def test_a_mixture_is_a_size_beside_the_dense_one():
    runs = find("ci")(Axes(sizes=("64x1", "64x1e4"), streams=(1, 2)))
    assert [(run.size, run.model.P, run.model.experts) for run in runs] == [
        ("64x1", 1, 0),
        ("64x1", 2, 0),
        ("64x1e4", 1, 4),
        ("64x1e4", 2, 4),
    ]
    dense, mixture = runs[0].model, runs[2].model
    router = mixture.layers * mixture.width * mixture.experts
    assert mixture.active_N == dense.N + router  # two experts of half the width
    assert dense.N + router + 2 * 3 * 64 * mixture.ffn == mixture.N
    assert pytest.approx(runs[0].C + 3 * 2.0 * router * runs[0].D) == runs[2].C


@pytest.mark.parametrize("size", ["64x1e", "64x1e04", "64x0", "064x1"])
def test_wrong_sizes_are_named(size):
    with pytest.raises(ValueError, match=f"size '{size}': .*WIDTHxLAYERS"):
        find("ci")(Axes(sizes=(size,)))
