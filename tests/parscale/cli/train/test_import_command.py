"""`parscale import`: a checkpoint described, and grown to P streams."""

import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models

import parscale
from sweeps.checkpoint import released_format
from sweeps.checkpoint.released_format import load_checkpoint
from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM
from tests.sweeps.plain_checkpoint import PLAIN, call, say


def test_import_describes_and_grows(checkpoint, tmp_path, capsys):
    assert call("import", checkpoint) == 0
    told = capsys.readouterr().out
    assert f"{PLAIN.N:,}" in told
    assert "(P = 1)" in told
    assert call("import", checkpoint, "--streams", 4, "--out", tmp_path / "grown") == 0
    grown = load_checkpoint(tmp_path / "grown")
    assert (grown.config.P, grown.config.prefix_tokens) == (4, PLAIN.prefix_tokens)
    assert call("import", checkpoint, "--streams", 2, "--prefix-tokens", 9, "--out", tmp_path / "long") == 0
    assert load_checkpoint(tmp_path / "long").config.K == 9
    assert torch.equal(grown.head, load_checkpoint(checkpoint).head)
    assert (tmp_path / "grown" / "tokenizer.json").exists()
    assert call("import", checkpoint, "--streams", 0) == 2
    assert re.search("P .* 1.* 0", capsys.readouterr().err)


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
        (spoil("model.norm.weight", float("nan")), "model.norm.weight (1"),
        (to_float8, "float8_e4m3fn"),
        (lambda folder: say(folder, parscale_n=4), "config.json"),
        (
            lambda folder: say(folder, rope_parameters={"rope_theta": 1e6}),
            "rope_parameters.rope_theta = 1e+06",
        ),
        (lambda folder: say(folder, rope_scaling={"type": "dynamic", "factor": 4}), "'dynamic'"),
        (lambda folder: say(folder, vocab_size=5), "vocab_size = 5"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99), "model.safetensors"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            "safe_serialization",
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
        assert re.search(r"13.*12", capsys.readouterr().err)


SMALL = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5)


@pytest.mark.usefixtures("one_thread")
def test_a_checkpoint_is_not_written_over_itself(tmp_path, capsys):
    released_format.save_checkpoint(ParScaleLM(SMALL), tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    assert parscale.main(["import", str(tmp_path), "--streams", "4", "--out", f"{tmp_path}/."]) == 2
    assert "model.safetensors" in capsys.readouterr().err
    assert (tmp_path / "model.safetensors").read_bytes() == before
