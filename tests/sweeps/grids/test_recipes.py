"""Recipes: stage 1 shared, stage 2 and fine-tuning on a given checkpoint, frozen backbones."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sweeps.checkpoint.released_format import grow, load_checkpoint, save_checkpoint
from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.corpora import build as corpora
from sweeps.corpora.tokens import train_tokenizer
from sweeps.grids.grids import Axes, find
from sweeps.grids.recipes import apply
from sweeps.model.blocks import is_extra
from sweeps.model.parscale import ParScaleLM
from sweeps.training.lightning_module import build_model
from sweeps.training.train import train

ONE = Execution(threads=1, accelerator="cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    generator = np.random.default_rng(8)
    for number in range(150):
        words = generator.choice(["ash", "birch", "cedar", "elm", "fir"], 120)
        (root / f"{number}.txt").write_text("\n".join(f"{w} {number} {w}" for w in words))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARSCALE_CACHE", str(root / "cache"))
        yield f"files:{root}/*.txt"


@pytest.fixture
def tokenizer(tmp_path):
    """A tokenizer.json to go with a base, without which no run starts from it."""
    path = tmp_path / "of-the-base.json"
    train_tokenizer(["a line of words\n" * 9], 300).save(str(path))
    return path


def plan(corpus, **axes):
    runs = find("ci")(Axes(sizes=["32x1"], corpora=[corpus], tokens=15_360, **axes))
    quick = [replace(run, eval_tokens=2000) for run in runs]
    renamed = {old.run_id: new.run_id for old, new in zip(runs, quick, strict=True)}
    return corpora.bind([replace(run, parent=renamed.get(run.parent, run.parent)) for run in quick])


def test_one_stage_1_feeds_every_P_and_the_data_goes_on(corpus, tmp_path):
    first, *then = plan(corpus, recipe="two-stage", stage2_share=0.2)
    assert [run.model.P for run in then] == [1, 2, 4]
    assert (first.recipe, first.steps, {run.parent for run in then}) == ("stage-1", 24, {first.run_id})
    assert {(run.start_step, run.steps, run.D) for run in then} == {(24, 6, 30 * 512)}
    row_1 = train(first, tmp_path / first.run_id, execution=ONE)
    rows = [train(run, tmp_path / run.run_id, execution=ONE) for run in then[:2]]
    assert rows[0]["loss"] < row_1["loss"]  # stage 2 goes on from stage 1, not from scratch
    assert rows[1]["loss"] < row_1["loss"] + 0.3
    assert [row["recipe"] for row in rows] == ["two-stage"] * 2
    assert rows[1]["C"] < replace(then[1], start_step=0, steps=30, parent="", recipe="scratch").C


def test_stages_keep_their_identity_however_they_are_carried_out(corpus):
    begun = plan(corpus, recipe="two-stage", stage2_share=0.2, streams=[2])
    known = {f"id of {run.recipe}": run for run in begun}
    known = {name: replace(run, parent="id of stage-1" if run.parent else "") for name, run in known.items()}
    runs = find("ci")(Axes(sizes=["32x1"], corpora=[corpus], tokens=15_360, recipe="two-stage",
                           stage2_share=0.2, streams=[2]))  # fmt: skip
    stage1, stage2 = (replace(run, eval_tokens=2000, accumulate=2) for run in runs)
    again = corpora.bind([stage1, replace(stage2, parent=stage1.run_id)], known=known)
    assert {run.identity for run in again} == {run.identity for run in known.values()}


@pytest.mark.slow
def test_continual_and_peft_start_from_a_checkpoint(corpus, tmp_path):
    (base,) = plan(corpus, streams=[1])
    row = train(base, tmp_path / "base", execution=ONE)
    runs = plan(corpus, recipe="peft", base=str(tmp_path / "base"))
    assert [run.model.P for run in runs] == [1, 2, 4]
    assert len({run.parent_hash for run in runs}) == 1
    alone = train(runs[0], tmp_path / "sweep" / "alone", execution=ONE)
    assert (alone["status"], alone["loss"], alone["D"]) == ("ok", row["loss"], runs[1].D)
    assert not np.isfinite(alone["C"])
    assert not (tmp_path / "sweep" / "alone" / "curve.parquet").exists()
    frozen = train(runs[1], tmp_path / "peft", execution=ONE)
    before, after = (
        load_checkpoint(tmp_path / "base").state_dict(),
        load_checkpoint(tmp_path / "peft").state_dict(),
    )
    assert all(torch.equal(before[name], after[name]) for name in before)
    itself = load_checkpoint(tmp_path / "sweep" / "alone").state_dict()
    assert set(itself) == set(before)
    assert all(torch.equal(before[name], itself[name]) for name in before)
    assert any(is_extra(name) for name in after)
    assert frozen["loss"] < row["loss"] + 0.5
    (more,) = plan(corpus, recipe="continual", base=str(tmp_path / "base"), streams=[2])
    tuned = train(more, tmp_path / "continual", execution=ONE)
    assert tuned["loss"] < row["loss"]
    assert not torch.equal(
        load_checkpoint(tmp_path / "continual").model.embed_tokens.weight, before["model.embed_tokens.weight"]
    )


def test_a_base_with_streams_starts_its_own_P_alone(tmp_path, tokenizer):
    base = ParScaleLM(ModelConfig(300, 32, 96, 1, 2, 1, P=2, prefix_tokens=7, smoothing=0.3))
    save_checkpoint(base, tmp_path / "base", tokenizer=tokenizer)
    axes = {"recipe": "continual", "base": str(tmp_path / "base"), "sizes": ["32x1"]}
    (run,) = find("ci")(Axes(streams=[2], **axes))
    assert (run.model.prefix_tokens, run.model.smoothing) == (7, 0.3)  # the base's, not the grid's
    assert build_model(run, tmp_path / "base").config == run.model
    with pytest.raises(ValueError, match=r"P.*=.*2.*P.*=.*2"):
        find("ci")(Axes(streams=[4], **axes))


def test_a_plain_base_goes_on_as_it_is(tmp_path, tokenizer):
    """Its config.json does not mention prefixes, and the format's default is the same shape."""
    save_checkpoint(ParScaleLM(ModelConfig(300, 32, 96, 1, 2, 1)), tmp_path / "base", tokenizer=tokenizer)
    axes = Axes(recipe="continual", base=str(tmp_path / "base"), sizes=["32x1"], streams=[1, 2])
    one, two = find("ci")(axes)
    assert build_model(one, tmp_path / "base").config.P == 1
    assert build_model(two, tmp_path / "base").config.K == two.model.prefix_tokens == 4


def test_a_base_is_named_as_it_was_and_a_size_by_its_shape(tmp_path, monkeypatch, tokenizer):
    save_checkpoint(ParScaleLM(ModelConfig(512, 32, 96, 1, 2, 1)), tmp_path / "base", tokenizer=tokenizer)
    monkeypatch.chdir(tmp_path)
    grid = find("ci")
    for name, sizes, size in (("base", ["32x1"], "32x1"), ("./base", ["64x1"], "base")):
        (run,) = grid(Axes(recipe="peft", base=name, sizes=sizes, streams=[2]))
        assert (run.parent, run.size) == ("base", size)


def test_a_frozen_backbone_gets_the_prefixes_the_grid_asks_for(tmp_path, tokenizer):
    save_checkpoint(ParScaleLM(ModelConfig(512, 32, 96, 1, 2, 1)), tmp_path / "base", tokenizer=tokenizer)
    axes = Axes(recipe="peft", base=str(tmp_path / "base"))
    (run,) = find("ci")(Axes(sizes=["32x1"], streams=[4]))
    (far,) = apply([replace(run, model=replace(run.model, prefix_std=1.0))], axes)
    prefix = build_model(far, tmp_path / "base").attentions[0].prefix_k
    assert prefix.std().item() == pytest.approx(1.0, rel=0.2)


def test_grown_prefixes_are_drawn_as_the_run_asks():
    wide = grow(ParScaleLM(ModelConfig(300, 32, 96, 1, 2, 1)), 4, 8, prefix_std=1.0, aggregation_std=0.2)
    assert wide.attentions[0].prefix_k.std().item() == pytest.approx(1.0, rel=0.2)
    assert wide.model.aggregate_layer[0].weight.std().item() == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"recipe": "magic"}, "recipe='magic'"),
        ({"recipe": "peft"}, "--base"),
        ({"recipe": "continual", "base": "/nowhere"}, "--base.*/nowhere"),
        ({"recipe": "two-stage", "stage2_share": 0.0}, "32x1.*0.*30.*--stage2-share"),
    ],
)
def test_refusals(axes, message):
    with pytest.raises(ValueError, match=message):
        find("ci")(Axes(sizes=["32x1"], tokens=15_360, **axes))


def test_a_base_takes_the_rates_of_the_size_it_is_like(tmp_path, tokenizer):
    save_checkpoint(ParScaleLM(ModelConfig(512, 64, 176, 1, 4, 2)), tmp_path / "base", tokenizer=tokenizer)
    grid, of_64 = find("ci"), find("ci")(Axes(sizes=["64x1"], streams=[2]))[0]
    (run,) = grid(Axes(recipe="continual", base=str(tmp_path / "base"), streams=[2]))
    assert (run.size, run.muon_lr) == ("64x1", of_64.muon_lr)


def test_what_a_base_lacks_at_one_stream_is_refused(tmp_path, tokenizer):
    save_checkpoint(ParScaleLM(ModelConfig(512, 32, 96, 1, 2, 1)), tmp_path / "base", tokenizer=tokenizer)
    (run,) = find("ci")(Axes(sizes=["32x1"], streams=[1]))
    asked = replace(run, model=replace(run.model, prefix_at_one=True))
    with pytest.raises(ValueError, match=r"P.*=.*1.*base"):
        apply([asked], Axes(recipe="continual", base=str(tmp_path / "base")))


def test_a_base_that_has_changed_since_planning_is_refused(corpus, tmp_path, tokenizer):
    (base,) = plan(corpus, streams=[1])
    train(base, tmp_path / "base", execution=ONE)
    (run,) = plan(corpus, recipe="continual", base=str(tmp_path / "base"), streams=[2])
    save_checkpoint(ParScaleLM(base.model), tmp_path / "base", tokenizer=tokenizer)
    with pytest.raises(ValueError, match="base"):
        train(run, tmp_path / "run", execution=ONE)


def test_stage_1_is_paid_for_once(corpus):
    first, *then = plan(corpus, recipe="two-stage", stage2_share=0.2)
    assert then[0].own_C + first.C == pytest.approx(then[0].C)
    assert sum(run.own_C for run in [first, *then]) < sum(run.C for run in then)


def test_no_tokenizer_is_guessed_for_a_base(tmp_path, tokenizer):
    save_checkpoint(ParScaleLM(ModelConfig(300, 32, 96, 1, 2, 1)), tmp_path / "base")
    axes = Axes(recipe="continual", base=str(tmp_path / "base"), streams=[2])
    with pytest.raises(ValueError, match="--tokenizer"):
        find("ci")(axes)
    with pytest.raises(ValueError, match=r"bpe.*tokens"):
        find("ci")(replace(axes, tokenizer="bpe"))
    assert {run.tokenizer for run in find("ci")(replace(axes, tokenizer=str(tokenizer)))} == {str(tokenizer)}
    (tmp_path / "shards").mkdir()
    np.arange(9, dtype=np.uint16).tofile(tmp_path / "shards/train.bin")
    tokens = replace(
        axes, corpora=[f"tokens:{tmp_path}/shards#vocab=300"]
    )  # what made them is theirs to know
    assert {(run.tokenizer, run.model.vocab) for run in find("ci")(tokens)} == {("bpe", 300)}
    fresh = replace(tokens, recipe=None, base=None, corpora=[f"tokens:{tmp_path}/shards#vocab=777"])
    assert {run.model.vocab for run in find("ci")(fresh)} == {777}
