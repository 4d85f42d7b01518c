"""Where a run that starts from other weights finds them, and how it recognises them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sweeps.checkpoint import parents
from sweeps.checkpoint.released_format import save_checkpoint
from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.model.parscale import ParScaleLM
from tests.sweeps.plain_checkpoint import say

MODEL = ModelConfig(vocab=300, width=32, ffn=96, layers=1, heads=2, kv_heads=1, P=2, prefix_tokens=4)
RUN = RunConfig(MODEL, "s", "32x1", 0, "stdlib", steps=5, batch=2, seq_len=8, recipe="peft", parent="base")
pytestmark = pytest.mark.usefixtures("one_thread")


def checkpoint(folder: Path, seed: int = 0, **how) -> Path:
    """A small checkpoint, the same for the same seed."""
    torch.manual_seed(seed)
    return save_checkpoint(ParScaleLM(replace(MODEL, P=1)), folder, **how)


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


def rewritten(folder: Path, change) -> str:
    """The fingerprint after a change of the tensors in the one file."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    return parents.parent_fingerprint(folder)


def test_a_base_is_known_by_its_tensors_wherever_and_however_they_lie(tmp_path):
    first = parents.parent_fingerprint(checkpoint(tmp_path / "a"))
    assert len(first) == 64
    assert parents.parent_fingerprint(checkpoint(tmp_path / "shards", shard_bytes=9_000)) == first
    b = checkpoint(tmp_path / "b", ends=[3])
    say(b, architectures=["OtherLM"], max_position_embeddings=99)
    assert rewritten(b, lambda tensors: tensors.update(dict(reversed(tensors.items())))) == first

    def wrap(tensors):
        for name in list(tensors):
            tensors[f"module.{name}"] = tensors.pop(name)
        tensors["lm_head.weight"] = tensors["module.model.embed_tokens.weight"].clone()  # tied, written twice

    assert rewritten(b, wrap) == first


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors["model.norm.weight"].add_(1),
        lambda tensors: tensors.update({"more": torch.zeros(1)}),
        lambda tensors: tensors.update({k: v.bfloat16() for k, v in tensors.items()}),
        lambda tensors: tensors.update(
            {"model.norm.weight": tensors["model.norm.weight"].view(4, 8).clone()}
        ),
    ],
    ids=["values", "names", "types", "shapes"],
)
def test_other_tensors_are_another_base(tmp_path, change):
    folder = checkpoint(tmp_path / "a")
    assert parents.parent_fingerprint(folder) != rewritten(folder, change)


@pytest.mark.parametrize("change", [{"rope_theta": 5e5}, {"num_attention_heads": 1, "head_dim": 32}])
def test_other_numbers_that_no_shape_tells_are_another_base(tmp_path, change):
    folder = checkpoint(tmp_path / "a")
    before = parents.parent_fingerprint(folder)
    say(folder, **change)
    assert parents.parent_fingerprint(folder) != before


@pytest.mark.parametrize("gone", ["config.json", "model.safetensors"])
def test_half_a_checkpoint_has_no_fingerprint(tmp_path, gone):
    folder = checkpoint(tmp_path / "a")
    (folder / gone).unlink()
    with pytest.raises(ValueError, match=str(folder)):
        parents.parent_fingerprint(folder)


@pytest.mark.parametrize("fingerprint", [parents.parent_fingerprint, parents.files_fingerprint])
def test_a_parent_that_has_changed_since_planning_is_refused(tmp_path, fingerprint):
    base = checkpoint(tmp_path / "checkpoints" / "base")
    planned = replace(RUN, parent_hash=fingerprint(base))
    assert parents.of(planned, base.parent) == base
    checkpoint(base, seed=1)
    with pytest.raises(ValueError, match=base.name):
        parents.of(planned, base.parent)
    assert parents.of(RUN, base.parent) == base  # planned without a fingerprint


@pytest.mark.parametrize("fingerprint", [parents.parent_fingerprint, parents.files_fingerprint])
def test_a_sweep_knows_its_runs_though_their_base_has_moved(tmp_path, fingerprint):
    old, sweep = checkpoint(tmp_path / "old"), tmp_path / "sweep"
    sweep.mkdir()
    first = replace(
        RUN, parent=str(old), parent_hash=fingerprint(old), size="old", tokenizer=f"{old}/tokenizer.json"
    )
    new = old.rename(tmp_path / "new")
    planned = replace(
        first,
        parent=str(new),
        parent_hash=parents.parent_fingerprint(new),
        size="new",
        tokenizer=f"{new}/tokenizer.json",
    )
    longer = replace(planned, steps=6)
    assert parents.as_recorded([planned, longer], [first], sweep) == [first, longer]
    assert parents.of(first, sweep / "checkpoints") == new
    assert parents.with_tokenizer(first, new).tokenizer == planned.tokenizer
    other = replace(planned, parent_hash=parents.parent_fingerprint(checkpoint(tmp_path / "new", seed=1)))
    assert parents.as_recorded([other], [first], sweep) == [other]
    assert json.loads((sweep / "bases.json").read_text()) == {str(old): str(new)}


def test_runs_without_a_base_are_left_as_they_are(tmp_path):
    scratch = replace(RUN, recipe="scratch", parent="", size="a")
    assert parents.as_recorded([scratch], [replace(scratch, size="b")], tmp_path) == [scratch]
    assert parents.with_tokenizer(scratch, None) is scratch
    assert not (tmp_path / "bases.json").exists()
