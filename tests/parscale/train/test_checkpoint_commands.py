"""`parscale import`, `export` and `generate` on checkpoints, and runs that share one frozen backbone."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers

import parscale
from sweeps.checkpoint.hf_config import CheckpointError, end_tokens
from sweeps.checkpoint.released_format import load_checkpoint, save_checkpoint
from sweeps.checkpoint.stream_bank import StreamBank, save_apart
from sweeps.checkpoint.weight_files import backbone_of
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
    return save_checkpoint(ParScaleLM(TINY), tmp_path / "plain", tokenizer=tmp_path / "tokenizer.json")


def call(*argv):
    return parscale.main([str(word) for word in argv])


def test_import_describes_and_grows(checkpoint, tmp_path, capsys):
    assert call("import", checkpoint) == 0
    told = capsys.readouterr().out
    assert f"{TINY.N:,}" in told
    assert "none (P = 1)" in told
    assert call("import", checkpoint, "--streams", 4, "--out", tmp_path / "grown") == 0
    grown = load_checkpoint(tmp_path / "grown")
    assert (grown.config.P, grown.config.prefix_tokens) == (4, TINY.prefix_tokens)
    assert call("import", checkpoint, "--streams", 2, "--prefix-tokens", 9, "--out", tmp_path / "long") == 0
    assert load_checkpoint(tmp_path / "long").config.K == 9
    assert torch.equal(grown.head, load_checkpoint(checkpoint).head)
    assert (tmp_path / "grown" / "tokenizer.json").exists()
    assert call("import", checkpoint, "--streams", 0) == 2
    assert "P must be at least 1, got 0" in capsys.readouterr().err


def test_a_float16_checkpoint_can_be_written_as_one_for_this_machine(checkpoint, tmp_path, capsys):
    save_checkpoint(load_checkpoint(checkpoint), tmp_path / "half", dtype=torch.float16)
    assert call("export", tmp_path / "half", "--out", tmp_path / "none") == 2
    assert "float16 weights overflow and crawl on a CPU" in capsys.readouterr().err
    assert call("export", tmp_path / "half", "--out", tmp_path / "whole", "--dtype", "float32") == 0
    assert load_checkpoint(tmp_path / "whole").head.dtype == torch.float32


def followed_by_elm(model):
    """The model changed so that every token is followed by elm."""
    with torch.no_grad():
        model.model.norm.weight.zero_()
        model.model.norm.weight[0] = 1.0
        model.model.embed_tokens.weight.fill_(1.0)
        model.model.embed_tokens.weight[:, 0] = 0.0
        model.model.embed_tokens.weight[WORDS.index("elm"), 0] = 9.0
    return model


def say(folder, file="config.json", **changes):
    """Change what a JSON file of a checkpoint says."""
    path = folder / file
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | changes))


def test_generate_ends_where_the_checkpoint_says(checkpoint, tmp_path, capsys):
    save_checkpoint(followed_by_elm(load_checkpoint(checkpoint)), checkpoint)
    argv = ("generate", checkpoint, "--prompt", "ash birch", "--max-tokens", 9)
    say(checkpoint, eos_token_id=WORDS.index("elm"))
    assert call(*argv) == 0
    assert capsys.readouterr().out.split() == []
    assert call(*argv, "--stop", "cedar") == 0
    assert capsys.readouterr().out.split() == ["elm"] * 9
    say(checkpoint, "generation_config.json", eos_token_id=[WORDS.index("cedar"), WORDS.index("elm")])
    assert call("export", checkpoint, "--out", tmp_path / "out") == 0
    assert end_tokens(tmp_path / "out") == (3, 4)
    say(checkpoint, "generation_config.json", eos_token_id=3)
    say(checkpoint, max_position_embeddings=6)
    capsys.readouterr()
    assert call(*argv) == 0
    told = capsys.readouterr()
    assert told.out.split() == ["elm"] * 4
    assert "context of 6 tokens" in told.err
    assert call("import", checkpoint) == 0
    assert "6 tokens" in capsys.readouterr().out
    say(checkpoint, "generation_config.json", eos_token_id=12)
    say(checkpoint, dtype="bfloat16", torch_dtype="float32")
    assert call("import", checkpoint) == 0
    told = capsys.readouterr().out
    assert "12 (not in the vocabulary)" in told
    assert "float32 (config.json says bfloat16)" in told
    say(checkpoint, "generation_config.json", eos_token_id="elm")
    assert call(*argv) == call("import", checkpoint) == 2


def test_an_exported_run_says_where_its_texts_end(checkpoint, tmp_path):
    assert end_tokens(checkpoint) == ()
    assert call("export", checkpoint, "--out", tmp_path / "out") == 0
    assert end_tokens(tmp_path / "out") == (0,)
    (checkpoint / "tokenizer.json").unlink()
    assert call("export", checkpoint, "--out", tmp_path / "bare") == 0
    assert end_tokens(tmp_path / "bare") == ()


def spoil(name, value):
    """A change of one tensor of model.safetensors."""

    def change(folder):
        tensors = load_file(folder / "model.safetensors")
        tensors[name][0] = value
        save_file(tensors, folder / "model.safetensors")

    return change


def to_float8(folder):
    kind = torch.float8_e4m3fn
    tensors = {name: tensor.to(kind) for name, tensor in load_file(folder / "model.safetensors").items()}
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (spoil("model.norm.weight", float("nan")), "model.norm.weight (1 of 32 values)"),
        (to_float8, "float8_e4m3fn without a scale"),
        (lambda folder: say(folder, parscale_n=4), "set parscale_n to 1 in config.json"),
        (
            lambda folder: say(folder, rope_parameters={"rope_theta": 1e6}),
            "rope_parameters.rope_theta = 1e+06",
        ),
        (lambda folder: say(folder, rope_scaling={"type": "dynamic", "factor": 4}), "rope scaling 'dynamic'"),
        (lambda folder: say(folder, vocab_size=5), "vocab_size = 5, the weights are of vocab_size = 12"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "truncated or no safetensors"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "pickled weights",
        ),
    ],
    ids=range(8),
)
def test_import_generate_and_export_refuse_a_checkpoint_alike(checkpoint, tmp_path, capsys, change, named):
    change(checkpoint)
    for argv in (("import",), ("generate", "--prompt", "ash"), ("export", "--out", tmp_path / "out")):
        assert call(argv[0], checkpoint, *argv[1:]) == 2
        told = capsys.readouterr()
        assert named in told.err
        assert told.out == ""
        assert len(told.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_float8_is_read_where_a_type_is_asked_for(checkpoint, capsys):
    to_float8(checkpoint)
    assert call("import", checkpoint, "--dtype", "float32") == 0
    assert call("generate", checkpoint, "--prompt", "ash", "--max-tokens", 2, "--dtype", "bfloat16") == 0


def test_a_tokenizer_with_more_words_than_the_embedding(checkpoint, capsys):
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(13)}, unk_token="w1"))
    tokenizer.save(str(checkpoint / "tokenizer.json"))
    for argv in (("import",), ("generate", "--prompt", "w0")):
        assert call(argv[0], checkpoint, *argv[1:]) == 2
        assert "13 entries, the model's embedding 12 rows" in capsys.readouterr().err


def test_generate_writes_the_text_it_makes(checkpoint, capsys):
    model = load_checkpoint(checkpoint)
    save_checkpoint(followed_by_elm(model), checkpoint)
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
        model = load_checkpoint(place / "checkpoints" / f"P{P}")
        assert torch.equal(model(ids), bank(ids, P=P))
        assert torch.equal(model.head, load_checkpoint(place / "base").head)
    call("generate", place / backbone, "--prompt", "ba", "--streams", 4, "--max-tokens", 2)
    assert capsys.readouterr().out.strip()


def test_two_sets_for_one_P_are_not_chosen_between(tmp_path, checkpoint):
    model = ParScaleLM(replace(TINY, P=2))
    for name in ("one", "two"):
        save_apart(model, tmp_path / "runs" / name, "backbone-x", checkpoint / "tokenizer.json")
    with pytest.raises(CheckpointError, match=r"two sets for P = 2, .*one and .*two: load the one you want"):
        StreamBank.load(tmp_path / "runs" / "backbone-x")
    assert torch.equal(load_checkpoint(tmp_path / "runs" / "two").head, model.head)
    (tmp_path / "runs" / "one" / "streams.safetensors").write_bytes(b"damaged")  # a neighbour's fault
    assert StreamBank.load(tmp_path / "runs" / "backbone-x").at(2).config == model.config


@pytest.mark.parametrize("place", ["/etc", "../..", "../a/b", "..x"])
def test_streams_name_no_far_backbone(tmp_path, place):
    save_file({"x": torch.zeros(1)}, tmp_path / "streams.safetensors", metadata={"backbone": place})
    with pytest.raises(CheckpointError, match="not the folder above, nor one beside it"):
        backbone_of(tmp_path)
