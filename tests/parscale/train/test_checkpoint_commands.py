"""`parscale import`, `export` and `generate` on checkpoints, and runs that share one frozen backbone."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

import parscale
from sweeps.checkpoint.hf_config import CheckpointError
from sweeps.checkpoint.released_format import backbone_of, load, save
from sweeps.checkpoint.stream_bank import StreamBank, save_apart
from sweeps.config.execution import Execution
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes
from sweeps.grids.recipes import apply
from sweeps.model.blocks import is_extra
from sweeps.model.parscale import ParScaleLM
from sweeps.training import snapshots
from sweeps.training.interrupt import Interrupted
from sweeps.training.train import train

TINY = ModelConfig(vocab=12, width=32, ffn=96, layers=2, heads=2, kv_heads=1, prefix_tokens=4)
WORDS = ("<|endoftext|>", "ash", "birch", "cedar", "elm", "fir")
ONE = Execution(threads=1, accelerator="cpu", report_seconds=0.0)


@pytest.fixture
def checkpoint(tmp_path, one_thread):
    """A plain model's folder, with a tokenizer of six words."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="fir"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return save(ParScaleLM(TINY), tmp_path / "plain", tokenizer=tmp_path / "tokenizer.json")


def call(*argv):
    return parscale.main([str(word) for word in argv])


def test_import_describes_and_grows(checkpoint, tmp_path, capsys):
    assert call("import", checkpoint) == 0
    told = capsys.readouterr().out
    assert f"{TINY.N:,}" in told
    assert "none (P = 1)" in told
    assert call("import", checkpoint, "--streams", 4, "--out", tmp_path / "grown") == 0
    grown = load(tmp_path / "grown")
    assert (grown.config.P, grown.config.prefix_tokens) == (4, TINY.prefix_tokens)
    assert call("import", checkpoint, "--streams", 2, "--prefix-tokens", 9, "--out", tmp_path / "long") == 0
    assert load(tmp_path / "long").config.K == 9
    assert torch.equal(grown.head, load(checkpoint).head)
    assert (tmp_path / "grown" / "tokenizer.json").exists()
    assert call("import", checkpoint, "--streams", 0) == 2
    assert "P must be at least 1, got 0" in capsys.readouterr().err


def test_a_float16_checkpoint_can_be_written_as_one_for_this_machine(checkpoint, tmp_path, capsys):
    save(load(checkpoint), tmp_path / "half", dtype=torch.float16)
    assert call("export", tmp_path / "half", "--out", tmp_path / "none") == 2
    assert "float16 weights overflow and crawl on a CPU" in capsys.readouterr().err
    assert call("export", tmp_path / "half", "--out", tmp_path / "whole", "--dtype", "float32") == 0
    assert load(tmp_path / "whole").head.dtype == torch.float32


def test_generate_writes_the_text_it_makes(checkpoint, capsys):
    model = load(checkpoint)
    with torch.no_grad():  # so that every token is followed by elm
        model.model.norm.weight.zero_()
        model.model.norm.weight[0] = 1.0
        model.model.embed_tokens.weight.fill_(1.0)
        model.model.embed_tokens.weight[:, 0] = 0.0
        model.model.embed_tokens.weight[WORDS.index("elm"), 0] = 9.0
    save(model, checkpoint)
    argv = ("generate", checkpoint, "--prompt", "ash elm", "--max-tokens", 3)
    assert call(*argv, "--seed", 1) == 0
    plain = capsys.readouterr().out
    assert plain.split() == ["elm"] * 3
    assert call(*argv, "--guidance", 1.0) == 0
    assert capsys.readouterr().out == plain
    assert call(*argv, "--stop", "elm") == 0
    assert capsys.readouterr().out.split() == []
    assert call(*argv, "--stop", "oak") == 2
    assert "--stop 'oak': no such token" in capsys.readouterr().err
    assert call(*argv, "--top-k", 3) == 2
    assert "change nothing at --temperature 0" in capsys.readouterr().err
    assert call(*argv, "--streams", 3) == 2
    assert "holds P = 1" in capsys.readouterr().err


@pytest.fixture(scope="module")
def frozen(corpus, tmp_path_factory):
    """A backbone, and two peft runs on it: (base, {P: its folder}, {P: its configuration})."""
    place = tmp_path_factory.mktemp("sweep")
    model = ModelConfig(vocab=300, width=32, ffn=96, layers=2, heads=2, kv_heads=1, prefix_tokens=4)
    run = RunConfig(model, "test", "32x2", 3, corpus, steps=8, batch=4, seq_len=32, eval_tokens=2000)
    train(run, place / "base", execution=ONE)
    axes = Axes(recipe="peft", base=str(place / "base"))
    of_P = {P: apply([replace(run, model=replace(model, P=P))], axes)[0] for P in (2, 4)}
    runs = {P: replace(one, parent_hash="0123456789abcdef" * 4) for P, one in of_P.items()}
    return place, {P: replace(one, parent_hash="") for P, one in runs.items()}


def test_runs_on_a_frozen_backbone_share_its_file(frozen, capsys):
    place, runs = frozen
    for P, run in runs.items():
        seen = []
        stop = {"progress": seen.append, "stop": lambda seen=seen: bool(seen) and seen[-1]["step"] >= 4}
        folder = place / "checkpoints" / f"P{P}"
        with pytest.raises(Interrupted):
            train(run, folder, execution=ONE, **stop)
        snapshot, _ = snapshots.latest(folder)
        kept = torch.load(snapshot, weights_only=True)
        assert all(is_extra(name) for name in kept["state_dict"])
        assert len(kept["optimizer_states"][0]["state"]) == len(kept["state_dict"])
        row = train(run, folder, execution=ONE)
        straight = train(run, place / "straight" / f"P{P}", execution=ONE)
        assert row["loss"] == straight["loss"]
    weights = sorted(path.relative_to(place) for path in (place / "checkpoints").glob("*/*.safetensors"))
    assert [path.name for path in weights] == ["streams.safetensors"] * 2 + ["model.safetensors"]
    backbone = weights[-1].parent
    bank, ids = StreamBank.load(place / backbone), torch.randint(300, (2, 9))
    for P in runs:
        model = load(place / "checkpoints" / f"P{P}")
        assert torch.equal(model(ids), bank(ids, P=P))
        assert torch.equal(model.head, load(place / "base").head)
    call("generate", place / backbone, "--prompt", "ba", "--streams", 4, "--max-tokens", 2)
    assert capsys.readouterr().out.strip()


def test_two_sets_for_one_P_are_not_chosen_between(tmp_path, checkpoint):
    model = ParScaleLM(replace(TINY, P=2))
    for name in ("one", "two"):
        save_apart(model, tmp_path / "runs" / name, "backbone-x", checkpoint / "tokenizer.json")
    with pytest.raises(CheckpointError, match=r"two sets for P = 2, .*one and .*two: load the one you want"):
        StreamBank.load(tmp_path / "runs" / "backbone-x")
    assert torch.equal(load(tmp_path / "runs" / "two").head, model.head)
    (tmp_path / "runs" / "one" / "streams.safetensors").write_bytes(b"damaged")  # a neighbour's fault
    assert StreamBank.load(tmp_path / "runs" / "backbone-x").at(2).config == model.config


@pytest.mark.parametrize("place", ["/etc", "../..", "../a/b", "..x"])
def test_streams_name_no_far_backbone(tmp_path, place):
    save_file({"x": torch.zeros(1)}, tmp_path / "streams.safetensors", metadata={"backbone": place})
    with pytest.raises(CheckpointError, match="not the folder above, nor one beside it"):
        backbone_of(tmp_path)
