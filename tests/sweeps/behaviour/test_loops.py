"""Looped layers: the mathematics, the caches, training, and the law that reads their runs."""

from dataclasses import replace
from itertools import product

import pytest
import torch

import scaling
from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.grids import find
from sweeps.inspect.generate import generate
from sweeps.model.blocks import rotary
from sweeps.model.parscale import ParScaleLM
from sweeps.model.stream_initialisation import quiet_streams
from sweeps.store.store import Store
from sweeps.training.lightning_module import build_model
from sweeps.training.train import train
from tests.sweeps.ends_of_runs import assert_same_end, interrupted_at
from tests.sweeps.small_run import ONE, config

DEEP = ModelConfig(vocab=61, width=32, ffn=48, layers=4, heads=4, kv_heads=2, prefix_tokens=5, init_std=0.3)
PROMPTS = [[5, 9, 2, 40], [7], [1, 2, 3, 4, 5, 6, 7, 8, 9]]


def model(**changes):
    torch.manual_seed(3)
    return ParScaleLM(replace(DEEP, **changes)).eval()


@pytest.mark.parametrize("P", [1, 3])
def test_a_loop_applies_the_middle_again_to_what_it_gave_and_what_it_was_given(P, one_thread):
    """By hand: first, middle, middle of (its output + its first input), ..., last."""
    plain, ids = model(P=P), torch.randint(61, (2, 7))
    looped = model(P=P).set_loops(3)
    blocks, rope = plain.model.layers, rotary(torch.arange(7)[None], 8, 1e4)
    mask = torch.nn.functional.pad(torch.ones(7, 7).tril().bool(), (5 if P > 1 else 0, 0), value=True)
    with torch.no_grad():
        e = x = blocks[0](plain.model.embed_tokens(ids), rope, mask, None)
        for _ in range(3):
            given = x if x is e else x + e
            x = blocks[2](blocks[1](given, rope, mask, None), rope, mask, None)
        x = plain.model.norm(blocks[3](x, rope, mask, None)).view(P, 2, 7, 32)
        assert torch.equal(looped.streams(ids), x)
        assert torch.equal(looped.set_loops(1)(ids), plain(ids))
        assert not torch.allclose(looped.set_loops(2)(ids), plain(ids))


@pytest.mark.parametrize("P", [1, 3])
def test_greedy_text_is_the_same_with_a_cache_and_without_at_any_number_of_loops(P, one_thread):
    made = model(P=P, loops=2)
    for loops in (1, 2, 4):
        made.set_loops(loops)
        cached = generate(made, PROMPTS, 6)
        for prompt, new in zip(PROMPTS, cached, strict=True):
            text = list(prompt)
            for _ in range(6):
                text.append(int(made(torch.tensor([text]))[0, -1].argmax()))
            assert text[len(prompt) :] == new
        cache = made.new_cache(1, 8)
        assert len(cache.layers) == made.config.depth == 4 + 2 * (loops - 1)


def test_parameters_count_once_and_computation_with_every_loop():
    looped, unrolled = replace(DEEP, P=2, loops=3), replace(DEEP, P=2, layers=8)
    assert looped.N == replace(DEEP, P=2).N
    assert looped.forward_flops(64) == unrolled.forward_flops(64)
    inner = [
        p.numel() for name, p in model(P=2).named_parameters() if ".layers.1." in name or ".layers.2." in name
    ]
    assert looped.N_recurrent == sum(inner)
    assert replace(looped, loop_layers=3).depth == 4 + 2 * 3
    assert (replace(DEEP, layers=2).looped, replace(DEEP, layers=1).looped) == (1, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loops": 0}, "loops.*1.*0"),
        ({"loops": 2, "layers": 1}, "loops.*=.*2.*1"),
        ({"loop_layers": 4}, r"loop_layers.*1\.\.3.*4"),
        ({"experts": 1, "experts_per_token": 1}, "experts.*=.*1"),
    ],
)
def test_loops_and_experts_that_cannot_be_are_named(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(DEEP, **changes)


def test_the_balance_of_experts_counts_every_loop(one_thread):
    made, ids = model(experts=4, loops=3), torch.randint(61, (2, 9))
    made.train().loss(ids[:, :-1], ids[:, 1:])
    several = [float(one.detach()) for one in made.model.balances]
    assert len(set(several)) == made.config.depth == 8
    assert float(made.balance().detach()) == pytest.approx(sum(several) / 8)


def test_streams_grown_onto_loops_start_at_their_loss(one_thread):
    base, ids = model(loops=2), torch.randint(61, (4, 40))
    grown = ParScaleLM(replace(base.config, P=2))
    grown.load_state_dict(base.state_dict(), strict=False)
    shares = quiet_streams(grown, ids)
    before, after = (float(m.loss(ids[:, :-1], ids[:, 1:]).detach()) for m in (base, grown))
    assert shares.shape == (4, 2)
    assert after == pytest.approx(before, abs=2e-3)


@pytest.mark.slow
def test_a_looped_run_resumes_to_the_bit_and_keeps_its_loops(corpus, tmp_path):
    run = config(corpus, P=2)
    run = replace(run, model=replace(run.model, layers=3, loops=2), optimizer="muon")
    whole = train(run, tmp_path / "whole", execution=ONE)
    interrupted_at(run, tmp_path / "parts", 7)
    parts = train(run, tmp_path / "parts", execution=ONE)
    assert_same_end(tmp_path / "whole", tmp_path / "parts", whole, parts)
    kept = load_checkpoint(tmp_path / "parts")
    assert (kept.config.loops, kept.config.looped) == (2, 1)
    assert kept.set_loops(3).config.depth == 5
    assert RunConfig.from_json(run.to_json()) == run
    more = replace(run, recipe="continual", parent=str(tmp_path / "parts"), model=replace(run.model, loops=4))
    assert build_model(more, tmp_path / "parts").config.depth == 6


def test_a_run_without_loops_is_the_run_it_always_was():
    run = config("stdlib")
    assert "loop" not in run.to_json()
    assert replace(run, model=replace(run.model, loops=2)).run_id != run.run_id


def test_loops_are_an_axis_of_every_grid():
    runs = find("ci")(Axes(sizes=("32x2", "64x3"), streams=(1, 2), loops=(1, 2)))
    assert {(run.size, run.model.loops) for run in runs} == {
        ("32x2", 1), ("32x2r2", 2), ("64x3", 1), ("64x3r2", 2)
    }  # fmt: skip
    assert [run for run in runs if run.model.loops == 1] == find("ci")(
        Axes(sizes=("32x2", "64x3"), streams=(1, 2))
    )
    (named,) = find("ci")(Axes(sizes=("64x3r4",), streams=(1,)))
    (paper,) = find("paper")(Axes(sizes=("0.5B",), streams=(1,), corpora=("pile",), loops=(2,)))
    assert (named.model.loops, paper.size, paper.model.depth) == (4, "0.5Br2", 70)
    for axes, words in (
        (Axes(loops=(0,)), "--loops.*0"),
        (Axes(sizes=("64x3r0",)), "r = 0"),
        (Axes(sizes=("64x3r2",), loops=(2,)), "names its loops already"),
        (Axes(sizes=("64x1",), loops=(2,)), "loops.*=.*2.*1"),
        (Axes(sizes=("64x2e1",)), "64x2"),
    ):
        with pytest.raises(ValueError, match=words):
            find("ci")(axes)


@pytest.mark.slow
def test_the_law_of_recurrence_reads_a_sweeps_table(corpus, tmp_path):
    """N_once, N_recurrent and r are columns of every runs table. The law is fitted to them directly."""
    store = Store(tmp_path / "out")
    store.create("loops", "tiny")
    tiny = replace(config(corpus, log_points=1, eval_tokens=500), lr=2e-2)
    for (layers, loops), steps in product(((2, 1), (2, 3), (3, 2), (4, 1), (4, 2), (4, 4)), (2, 12)):
        shape = replace(tiny.model, layers=layers, loops=loops)
        run = replace(tiny, model=shape, steps=steps, size=f"32x{layers}r{loops}")
        store.add([run])
        store.finish(run.run_id, train(run, store.checkpoint(run.run_id), execution=ONE))
    store.gather()
    table = scaling.read_runs(store.folder)
    assert (table["N_once"] + table["N_recurrent"] == table["N"]).all()
    assert sorted(set(table["r"])) == [1, 2, 3, 4]
    found = scaling.fit("recurrence", table)
    assert len(table) == 12
    assert found.law.phi >= 0
    assert found.law.predict(N_once=1e4, N_recurrent=1e4, r=1, D=1e4) > 0
