"""How streams begin: at their base's own loss, through a network. Also memory saved by checkpointing."""

from dataclasses import replace

import pytest
import torch

import parscale
from sweeps.checkpoint import released_format
from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.corpora import build as corpora
from sweeps.driver import dry_run
from sweeps.grids.grids import Axes, find
from sweeps.grids.recipes import apply
from sweeps.model.parscale import ParScaleLM
from sweeps.model.stream_initialisation import merge, quiet_streams, reparameterise
from sweeps.training.evaluate import evaluate
from sweeps.training.interrupt import Interrupted
from sweeps.training.lightning_module import build_model
from sweeps.training.train import train
from tests.sweeps import small_run
from tests.sweeps.small_run import ONE
from tests.sweeps.small_text import TINY, batch, train_on_text

LONGER = {"steps": 60, "batch": 8, "lr": 1e-2, "eval_tokens": 8000}


def config(corpus, P=1, **changes):
    run = small_run.config(corpus, P, **LONGER | changes)
    return replace(run, model=replace(run.model, prefix_tokens=8))  # prefixes that are felt


@pytest.fixture(scope="module")
def base(corpus, tmp_path_factory):
    """A trained backbone's folder and its validation loss."""
    folder = tmp_path_factory.mktemp("base")
    return folder, train(config(corpus), folder, execution=ONE)["loss"]


def first_loss(run, folder):
    """The validation loss that a run starts from."""
    model = build_model(run, folder, corpora.windows_of(run, corpora.open_for(run)))
    return evaluate(
        model, corpora.open_for(run).valid, run.seq_len, run.eval_batch, limit=run.eval_tokens
    ).loss


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["peft", "continual"])
def test_a_quiet_start_is_the_bases_loss(corpus, base, recipe):
    folder, loss = base
    axes = Axes(recipe=recipe, base=str(folder), start="quiet")
    (run,) = apply([config(corpus, P=4)], axes)
    assert run.start == "quiet"
    assert abs(first_loss(run, folder) - loss) < 1e-3
    assert abs(first_loss(replace(run, start="random"), folder) - loss) > 1e-3


def test_stage_2_can_begin_quietly_and_one_stream_has_nothing_to_quieten(corpus):
    axes = Axes(recipe="two-stage", stage2_share=0.2, start="quiet")
    runs = apply([config(corpus, P=P) for P in (1, 2)], axes)
    assert [(run.recipe, run.model.P, run.start) for run in runs] == [
        ("stage-1", 1, "random"),
        ("two-stage", 1, "random"),
        ("two-stage", 2, "quiet"),
    ]
    with pytest.raises(ValueError, match=r"start='quiet'.*P.*=.*2.*parent="):
        config(corpus, P=2, start="quiet")


def test_the_option_is_for_grown_streams(capsys, tmp_path):
    call = ["sweep", "ci", "--dry-run", "--out", str(tmp_path / "none"), "--start"]
    assert parscale.main([*call, "quiet"]) == 2
    assert "--start quiet: " in capsys.readouterr().err
    assert parscale.main([*call, "loud", "--recipe", "two-stage"]) == 2
    assert "random, quiet" in capsys.readouterr().err


def test_prefixes_trained_through_a_network_end_as_prefixes(corpus, tmp_path):
    plain = train(config(corpus, P=2, steps=12), tmp_path / "plain", execution=ONE)
    run, seen = config(corpus, P=2, steps=12, prefix_mlp=24), []
    whole = train(run, tmp_path / "whole", execution=ONE)
    assert whole["N"] == plain["N"]
    assert whole["loss"] != plain["loss"]
    model = load_checkpoint(tmp_path / "whole")  # the released format knows no network
    assert set(model.state_dict()) == set(load_checkpoint(tmp_path / "plain").state_dict())
    held_out = corpora.open_for(run).valid
    assert evaluate(model, held_out, 32, run.eval_batch, limit=run.eval_tokens).loss == pytest.approx(
        whole["loss"]
    )
    stop = {"progress": seen.append, "stop": lambda: bool(seen) and seen[-1]["step"] >= 5}
    with pytest.raises(Interrupted):
        train(run, tmp_path / "again", execution=ONE, **stop)
    assert train(run, tmp_path / "again", execution=ONE)["loss"] == whole["loss"]
    assert all(
        map(
            torch.equal,
            model.state_dict().values(),
            load_checkpoint(tmp_path / "again").state_dict().values(),
        )
    )


@pytest.mark.slow
def test_two_shards_of_networks_have_the_loss_of_one(corpus, tmp_path):
    run = config(corpus, P=2, steps=8, prefix_mlp=24)
    alone = train(run, tmp_path / "alone", execution=ONE)
    two = train(run, tmp_path / "two", execution=replace(ONE, devices=2, strategy="fsdp2"))
    assert two["loss"] == pytest.approx(alone["loss"], abs=1e-5)
    for name, value in load_checkpoint(tmp_path / "alone").state_dict().items():
        torch.testing.assert_close(
            load_checkpoint(tmp_path / "two").state_dict()[name], value, atol=1e-3, rtol=0
        )


def test_checkpointing_is_the_same_run_in_less_memory(corpus, tmp_path):
    saving = replace(ONE, gradient_checkpointing=True)
    run = config(corpus, P=2, steps=6)
    losses = [
        train(run, tmp_path / str(how.gradient_checkpointing), execution=how)["loss"] for how in (ONE, saving)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    (paper,) = find("paper")(Axes(sizes=("1.6B",), streams=(8,), corpora=("pile",)))
    kept, saved = (float(dry_run.cells(paper, how)[-1]) for how in (ONE, saving))
    assert saved < 0.3 * kept


def test_checkpointing_has_a_flag(capsys, tmp_path):
    call = ["sweep", "ci", "--dry-run", "--rate", "1e9", "--out", str(tmp_path / "none")]
    shown = []
    for flag in ([], ["--gradient-checkpointing"]):
        assert parscale.main([*call, *flag]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] != shown[1]


@pytest.fixture(scope="module")
def trained():
    """A small backbone that has learnt something."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = ParScaleLM(TINY)
    train_on_text(model, 150)
    return model.eval()


@torch.no_grad()
def held_out(model):
    with torch.random.fork_rng():
        torch.manual_seed(99)
        texts = [batch(16, 64) for _ in range(6)]
    return sum(model.loss(ids[:, :-1], ids[:, 1:]).item() for ids in texts) / len(texts)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.slow
@pytest.mark.parametrize("P", [2, 5])
def test_quiet_start_is_the_backbones_loss(trained, P):
    base = held_out(trained)
    assert base < 3.5  # of ln 256 = 5.5
    grown = released_format.grow(trained, P, prefix_tokens=48)
    shares = quiet_streams(grown, batch(16, 64))
    assert abs(held_out(grown) - base) < 1e-3
    assert shares.shape == (2, 2)
    assert shares.max() < 0.2
    train_on_text(grown, 15, lr=1e-3)
    prefix = grown.attentions[0].prefix_v.detach()
    assert not torch.allclose(prefix[0], prefix[1])
    assert held_out(grown) < base


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_quiet_needs_streams(trained):
    with pytest.raises(ValueError, match=r"P.*=.*1"):
        quiet_streams(ParScaleLM(TINY), batch())


@pytest.mark.usefixtures("one_thread")
def test_reparameterised_prefix(tmp_path):
    model, ids = ParScaleLM(replace(TINY, P=3)), batch(2, 12)
    model.requires_grad_(False)
    before = model(ids)
    reparameterise(model, width=16)
    torch.testing.assert_close(model(ids), before)
    train_on_text(model, 5)
    trained = model(ids)
    assert not torch.allclose(trained, before, atol=1e-4)
    released_format.save_checkpoint(model, tmp_path)
    torch.testing.assert_close(released_format.load_checkpoint(tmp_path)(ids), trained)
    merge(model)
    assert set(model.state_dict()) == set(ParScaleLM(model.config).state_dict())
    torch.testing.assert_close(model(ids), trained)
