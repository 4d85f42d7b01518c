"""Exports: what is in them, the same bytes for the same model, and never on top of something else."""

import hashlib
import json
from dataclasses import replace

import pytest
import torch

from sweeps.checkpoint import export
from sweeps.checkpoint.export import export_model
from sweeps.checkpoint.hf_config import CheckpointError
from sweeps.checkpoint.released_format import load_checkpoint, save_checkpoint
from sweeps.config.model import ModelConfig
from sweeps.corpora.tokens import train_tokenizer
from sweeps.model.parscale import ParScaleLM
from sweeps.model.stream_initialisation import merge, reparameterise
from sweeps.store.checksums import write_row

TINY = ModelConfig(vocab=260, width=32, ffn=48, layers=2, heads=4, kv_heads=2, prefix_tokens=5)
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train_tokenizer(["ash birch cedar"], 260).save(str(path))
    return path


def run_of(folder, tokenizer, **changes):
    """The folder of a run with 48 tokens per sequence, and its model."""
    model = ParScaleLM(replace(TINY, **changes)).eval()
    save_checkpoint(model, folder, tokenizer=tokenizer)
    write_row(folder / "row.json", {"run_id": "r", "seq_len": 48})
    (folder / "curve.parquet").write_bytes(b"")
    return model


def read(path):
    return json.loads(path.read_text())


def sums(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("changes", "model_type", "classes"),
    [
        ({}, "qwen2", None),
        ({"qk_norm": True, "qkv_bias": False}, "qwen3", None),
        ({"qk_norm": True, "qkv_bias": False, "experts": 3}, "qwen3_moe", None),
        ({"P": 2}, "qwen2_parscale", "Qwen2ParScale"),
        ({"experts": 3}, "qwen3_moe_parscale", "Qwen3MoeParScale"),
    ],
)
def test_what_an_export_says(tmp_path, tokenizer, changes, model_type, classes):
    model = run_of(tmp_path / "run", tokenizer, **changes)
    out = export_model(model, tmp_path / "run", tmp_path / "new" / "out")
    about = read(out / "config.json")
    assert (about["model_type"], about["max_position_embeddings"], about["eos_token_id"]) == (
        model_type,
        48,
        0,
    )
    mapped = classes and {
        "AutoConfig": f"modeling_parscale.{classes}Config",
        "AutoModelForCausalLM": f"modeling_parscale.{classes}ForCausalLM",
    }
    assert about.get("auto_map") == mapped
    files = {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"}
    files |= {"tokenizer_config.json"} | ({"modeling_parscale.py"} if mapped else set())
    assert {path.name for path in out.iterdir()} == files
    assert read(out / "generation_config.json") == {"eos_token_id": 0, "pad_token_id": 0}
    told = read(out / "tokenizer_config.json")
    assert (told["eos_token"], told["pad_token"], told["model_max_length"]) == (*["<|endoftext|>"] * 2, 48)
    back = load_checkpoint(out)
    assert back.config == replace(model.config, context=48)
    assert torch.equal(back.head, model.head)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_one_model_is_one_set_of_bytes_however_it_was_kept(tmp_path, tokenizer):
    model = run_of(tmp_path / "run", tokenizer, P=3)
    first = sums(export_model(model, tmp_path / "run", tmp_path / "first"))
    assert (
        sums(export_model(load_checkpoint(tmp_path / "first"), tmp_path / "first", tmp_path / "again"))
        == first
    )
    save_checkpoint(model, tmp_path / "run", tokenizer=tokenizer, shard_bytes=9_000)
    assert (
        sums(export_model(load_checkpoint(tmp_path / "run"), tmp_path / "run", tmp_path / "shards")) == first
    )
    reparameterise(model, 8)  # its prefixes come last among its tensors, with the values they had
    assert sums(export_model(model, tmp_path / "run", tmp_path / "seen")) == first
    merge(model)


def test_what_the_source_says_of_text_is_kept(tmp_path, tokenizer):
    source = tmp_path / "base"
    model = ParScaleLM(replace(TINY, context=64)).eval()
    save_checkpoint(model, source, tokenizer=tokenizer)
    (source / "tokenizer_config.json").write_text('{"chat_template": "x", "eos_token": "a"}')
    (source / "generation_config.json").write_text('{"eos_token_id": [5, 7], "top_k": 3}')
    (source / "merges.txt").write_text("a b")
    out = export_model(model, source, tmp_path / "out")
    for name in ("tokenizer_config.json", "generation_config.json", "merges.txt"):
        assert (out / name).read_bytes() == (source / name).read_bytes()
    assert read(out / "config.json")["eos_token_id"] == [5, 7]
    assert read(out / "config.json")["max_position_embeddings"] == 64


def test_a_model_without_text_files_or_length_says_neither(tmp_path):
    model = ParScaleLM(TINY)
    out = export_model(model, tmp_path / "nowhere", tmp_path / "out")
    assert {path.name for path in out.iterdir()} == {"config.json", "model.safetensors"}
    assert not {"max_position_embeddings", "eos_token_id"} & set(read(out / "config.json"))


@pytest.mark.parametrize("there", ["notes.txt", "config.json", "run"])
def test_a_folder_that_holds_something_else_stays_as_it_is(tmp_path, tokenizer, there):
    model = run_of(tmp_path / "run", tokenizer)
    out = tmp_path / "run" if there == "run" else tmp_path / "out"
    out.mkdir(exist_ok=True)
    if there != "run":
        (out / there).write_text("mine")
    before = sums(out)
    with pytest.raises(CheckpointError, match="curve.parquet" if there == "run" else there):
        export_model(model, tmp_path / "run", out)
    assert sums(out) == before
    assert not list(tmp_path.glob(".*"))


def test_an_export_over_itself_is_nothing_new_and_over_another_refused(tmp_path, tokenizer):
    model = run_of(tmp_path / "run", tokenizer)
    out = tmp_path / "out"
    out.mkdir()  # an empty folder may be there
    before = sums(export_model(model, tmp_path / "run", out))
    assert sums(export_model(model, tmp_path / "run", out)) == before
    with pytest.raises(CheckpointError, match=r"out .*config.json.*\b1\b"):
        export_model(ParScaleLM(TINY), tmp_path / "run", out)
    assert sums(out) == before


def test_a_half_written_export_leaves_nothing(tmp_path, tokenizer, monkeypatch):
    model = run_of(tmp_path / "run", tokenizer)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "write_text_files", full)
    with pytest.raises(OSError, match="No space left"):
        export_model(model, tmp_path / "run", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
