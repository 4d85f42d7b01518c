"""Which files hold the weights: shards, indices, and folders that hold something else."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from sweeps.checkpoint.hf_config import CheckpointError
from sweeps.checkpoint.weight_files import INDEX, read_tensors

A, B, C = torch.arange(3.0), torch.ones(2, 2), torch.zeros(4)
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def shards(folder, first, second, index=True):
    """Two shards. The index, if any, maps a and b to the first and c to the second."""
    save_file(first, folder / FIRST)
    save_file(second, folder / SECOND)
    if index:
        where = {"a": FIRST, "b": FIRST, "c": SECOND}
        (folder / INDEX).write_text(json.dumps({"weight_map": where}))


def test_shards_with_and_without_an_index(tmp_path):
    shards(tmp_path, {"a": A, "b": B}, {"c": C})
    assert read_tensors(tmp_path).keys() == {"a", "b", "c"}
    (tmp_path / INDEX).unlink()
    found = read_tensors(tmp_path)
    assert all(torch.equal(found[name], tensor) for name, tensor in {"a": A, "b": B, "c": C}.items())
    (tmp_path / SECOND).unlink()
    with pytest.raises(CheckpointError, match=SECOND):
        read_tensors(tmp_path)


def test_shards_of_two_checkpoints_without_an_index(tmp_path):
    shards(tmp_path, {"a": A}, {"c": C}, index=False)
    save_file({"a": A}, tmp_path / "other-00001-of-00001.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors\.index\.json"):
        read_tensors(tmp_path)


@pytest.mark.parametrize("index", [True, False])
def test_a_tensor_in_two_shards(tmp_path, index):
    shards(tmp_path, {"a": A, "b": B}, {"c": C, "a": A.clone()}, index)
    assert torch.equal(read_tensors(tmp_path)["a"], A)
    shards(tmp_path, {"a": A, "b": B}, {"c": C, "a": A + 1}, index)
    with pytest.raises(CheckpointError, match=f"{SECOND}: a "):
        read_tensors(tmp_path)


def test_a_shard_that_is_not_the_index_s(tmp_path):
    shards(tmp_path, {"a": A, "b": B}, {"c": C, "x": A})
    with pytest.raises(CheckpointError, match=f"{SECOND} .*\\bx\\b"):
        read_tensors(tmp_path)
    shards(tmp_path, {"a": A}, {"c": C})
    with pytest.raises(CheckpointError, match=f"{FIRST} .*\\bb\\b"):
        read_tensors(tmp_path)
    (tmp_path / SECOND).unlink()
    shards(tmp_path, {"a": A, "b": B}, {"c": C, "model.rotary_emb.inv_freq": A})
    assert read_tensors(tmp_path).keys() == {"a", "b", "c"}


def test_two_sets_of_weights_are_not_chosen_between(tmp_path):
    shards(tmp_path, {"a": A, "b": B}, {"c": C})
    save_file({"a": A}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        read_tensors(tmp_path)
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"a": "model.safetensors"}}))
    assert read_tensors(tmp_path).keys() == {"a"}


def test_computed_buffers_are_left_out(tmp_path):
    buffers = ("model.layers.0.self_attn.rotary_emb.inv_freq", "model.embeddings.position_ids")
    save_file({name: C.clone() for name in ("a", *buffers)}, tmp_path / "model.safetensors")
    assert read_tensors(tmp_path).keys() == {"a"}


@pytest.mark.parametrize("bytes_", [b"", b"\x08\0\0\0\0\0\0\0{}", b"no safetensors file at all"])
def test_files_that_are_no_safetensors(tmp_path, bytes_):
    (tmp_path / "model.safetensors").write_bytes(bytes_)
    with pytest.raises(CheckpointError, match=r"model.safetensors"):
        read_tensors(tmp_path)


def test_a_pointer_of_git_lfs(tmp_path):
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
    (tmp_path / "model.safetensors").write_text(text)
    with pytest.raises(CheckpointError, match=r"Git.*LFS"):
        read_tensors(tmp_path)


class Trap:
    """What a pickle of weights may do."""

    def __reduce__(self):
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt"])
def test_pickled_weights_are_named_and_not_read(tmp_path, name):
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(CheckpointError, match="safe_serialization"):
        read_tensors(tmp_path)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("adapter_model.safetensors", "adapter"),
        ("model.gguf", "GGUF"),
        ("weights.safetensors", "weights.safetensors"),
        ("README.md", "model.safetensors"),
    ],
)
def test_folders_without_weights(tmp_path, name, why):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match=why):
        read_tensors(tmp_path)
