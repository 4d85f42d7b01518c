"""Where a run that goes on from other weights gets them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.checkpoint import parents
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig

MODEL = ModelConfig(vocab=300, width=32, ffn=96, layers=1, heads=2, kv_heads=1, P=2, prefix_tokens=4)
RUN = RunConfig(MODEL, "s", "32x1", 0, "stdlib", steps=5, batch=2, seq_len=8, recipe="peft", parent="base")


def checkpoint(folder: Path, weights: bytes = b"weights") -> Path:
    """What looks like a checkpoint."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"hidden_size": 32}))
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_a_run_of_the_sweep_comes_before_a_folder_of_the_same_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "base")
    assert parents.folder("base", tmp_path / "checkpoints") == Path("base")
    own = checkpoint(tmp_path / "checkpoints" / "base")
    assert parents.folder("base", tmp_path / "checkpoints") == own


@pytest.mark.parametrize("there", [False, True])
def test_a_parent_without_a_configuration_is_refused_by_name(tmp_path, there):
    if there:
        (tmp_path / "nowhere").mkdir()
    with pytest.raises(ValueError, match="nowhere"):
        parents.folder(str(tmp_path / "nowhere"), tmp_path)


def test_the_fingerprint_follows_configuration_weights_and_their_names(tmp_path):
    first = parents.parent_fingerprint(checkpoint(tmp_path / "a"))
    assert parents.parent_fingerprint(checkpoint(tmp_path / "b")) == first
    assert len(first) == 64
    assert parents.parent_fingerprint(checkpoint(tmp_path / "c", b"Weights")) != first
    (tmp_path / "b" / "notes.txt").write_text("of no account")
    assert parents.parent_fingerprint(tmp_path / "b") == first
    (tmp_path / "b" / "config.json").write_text("{}")
    assert parents.parent_fingerprint(tmp_path / "b") != first
    (tmp_path / "a" / "model.safetensors").rename(tmp_path / "a" / "other.safetensors")
    assert parents.parent_fingerprint(tmp_path / "a") != first


@pytest.mark.parametrize("gone", ["config.json", "model.safetensors"])
def test_half_a_checkpoint_has_no_fingerprint(tmp_path, gone):
    folder = checkpoint(tmp_path / "a")
    (folder / gone).unlink()
    with pytest.raises(ValueError, match=str(folder)):
        parents.parent_fingerprint(folder)


def test_a_parent_that_has_changed_since_planning_is_refused(tmp_path):
    base = checkpoint(tmp_path / "checkpoints" / "base")
    planned = replace(RUN, parent_hash=parents.parent_fingerprint(base))
    assert parents.of(planned, base.parent) == base
    (base / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ValueError, match="has changed"):
        parents.of(planned, base.parent)
    assert parents.of(RUN, base.parent) == base  # planned without a fingerprint
