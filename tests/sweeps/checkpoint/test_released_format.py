"""The released format: load, save, shards, growing, every way a checkpoint can be wrong."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sweeps.checkpoint import released_format
from sweeps.checkpoint.hf_config import CheckpointError, end_tokens
from sweeps.checkpoint.parents import parent_fingerprint
from sweeps.checkpoint.weight_files import backbone_of
from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM

FIXTURES = Path(__file__).parents[2] / "fixtures"
SMALL = ModelConfig(vocab=61, width=24, ffn=40, layers=2, heads=4, kv_heads=2, prefix_tokens=5)
pytestmark = pytest.mark.usefixtures("one_thread")


def random_ids(config):
    return torch.randint(config.vocab, (2, 12))


@pytest.mark.parametrize("P", [1, 2, 4])
def test_official_checkpoints_load(P):
    folder = FIXTURES / f"official_p{P}"
    model, expected = released_format.load_checkpoint(folder), load_file(folder / "expected.safetensors")
    assert model.config.P == P
    assert (model(expected["input_ids"]) - expected["logits"]).abs().max() < 1e-4


@pytest.mark.parametrize("P", [1, 2, 4])
def test_official_format_round_trip(P, tmp_path):
    folder = FIXTURES / f"official_p{P}"
    model = released_format.load_checkpoint(folder)
    released_format.save_checkpoint(model, tmp_path)
    written, original = load_file(tmp_path / "model.safetensors"), load_file(folder / "model.safetensors")
    assert written.keys() == original.keys()
    assert all(torch.equal(written[name], original[name]) for name in original)
    assert released_format.load_checkpoint(tmp_path).config == model.config


@pytest.mark.parametrize(
    "change",
    [
        {"P": 1},
        {"P": 3, "tied_embeddings": False},
        {"P": 6, "head_dim": 10, "rope_base": 5e5, "smoothing": 0.03, "context": 77},
        {"P": 2, "kv_heads": 4, "prefix_tokens": 3},
        {"P": 2, "kv_heads": 1, "qk_norm": True, "qkv_bias": False},
        {"P": 1, "qk_norm": True, "qkv_bias": False},
        {"P": 2, "qk_norm": True},
        {"P": 2, "experts": 3, "experts_per_token": 2, "qk_norm": True, "qkv_bias": False},
        {"P": 1, "experts": 3, "experts_per_token": 1, "qkv_bias": True},
    ],
)
@pytest.mark.parametrize("shard_bytes", [1 << 40, 9_000])
def test_any_shape_round_trips(change, shard_bytes, tmp_path):
    model = ParScaleLM(replace(SMALL, **change)).eval()
    released_format.save_checkpoint(model, tmp_path, shard_bytes=shard_bytes)
    loaded, ids = released_format.load_checkpoint(tmp_path), random_ids(SMALL)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1 or shard_bytes == 9_000
    assert not list(tmp_path.glob("*.tmp"))
    assert loaded.config == model.config
    assert torch.equal(loaded(ids), model(ids))


def test_saving_fewer_shards_leaves_no_stale_index(tmp_path):
    released_format.save_checkpoint(ParScaleLM(SMALL), tmp_path, shard_bytes=9_000)
    model = ParScaleLM(SMALL)
    released_format.save_checkpoint(model, tmp_path)
    assert torch.equal(released_format.load_checkpoint(tmp_path).head, model.head)


def test_one_model_is_one_file(tmp_path):
    model = ParScaleLM(SMALL)
    folders = [released_format.save_checkpoint(model, tmp_path / str(i)) for i in range(12)]
    assert len({parent_fingerprint(folder) for folder in folders}) == 1
    assert released_format.load_checkpoint(folders[0]).config == model.config


def test_tokenizer_travels_along(tmp_path):
    source = tmp_path / "made.json"
    source.write_text('{"version": "1.0"}')
    folder = released_format.save_checkpoint(ParScaleLM(SMALL), tmp_path / "out", tokenizer=source)
    assert (folder / "tokenizer.json").read_text() == source.read_text()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype, tmp_path):
    model, ids = ParScaleLM(replace(SMALL, P=2)), random_ids(SMALL)
    released_format.save_checkpoint(model, tmp_path, dtype=dtype)
    loaded = released_format.load_checkpoint(tmp_path, dtype=torch.float32)
    torch.testing.assert_close(loaded(ids), model(ids), atol=5e-3, rtol=0)
    if dtype == torch.float16:
        with pytest.raises(CheckpointError, match=r"float16.*CPU.*dtype=torch.float32"):
            released_format.load_checkpoint(tmp_path)
    else:
        assert released_format.load_checkpoint(tmp_path)(ids).dtype == torch.bfloat16


@pytest.mark.parametrize("P", [2, 3, 8])
def test_grown_backbone_is_the_old_one(P):
    base = ParScaleLM(SMALL)
    grown = released_format.grow(base, P, prefix_tokens=7)
    assert grown.config.P == P
    state = grown.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in base.state_dict().items())
    assert state["model.layers.1.self_attn.prefix_v"].shape == (P, 2, 7, 6)
    assert torch.isfinite(grown(random_ids(SMALL))).all()


def test_one_error_lists_everything(p2):
    tensors = load_file(p2 / "model.safetensors")
    del tensors["model.norm.weight"], tensors["model.layers.1.self_attn.prefix_k"]
    tensors["model.layers.9.mlp.up_proj.weight"] = torch.zeros(3, 4)
    tensors["model.aggregate_layer.2.bias"] = torch.zeros(5)
    save_file(tensors, p2 / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"4.*tensors") as caught:
        released_format.load_checkpoint(p2)
    for part in (
        "missing model.norm.weight (48,)",
        "missing model.layers.1.self_attn.prefix_k (2, 2, 6, 12)",
        "extra model.layers.9.mlp.up_proj.weight (3, 4)",
    ):
        assert part in str(caught.value)
    assert re.search(r"aggregate_layer\.2\.bias .*\(5,\).*\(2,\)", str(caught.value))


def test_truncated_shard(p2):
    path = p2 / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=r"model.safetensors"):
        released_format.load_checkpoint(p2)


def test_missing_shard(tmp_path):
    released_format.save_checkpoint(ParScaleLM(SMALL), tmp_path, shard_bytes=9_000)
    next(iter(sorted(tmp_path.glob("model-00002*")))).unlink()
    with pytest.raises(CheckpointError, match="model-00002-of-"):
        released_format.load_checkpoint(tmp_path)


def test_shard_of_another_checkpoint(tmp_path):
    for name in ("a", "b"):
        released_format.save_checkpoint(ParScaleLM(SMALL), tmp_path / name, shard_bytes=9_000)
    one, other = sorted((tmp_path / "b").glob("model-0000[12]*"))
    shutil.copy(one, tmp_path / "a" / one.name)
    with pytest.raises(CheckpointError, match=one.name):
        released_format.load_checkpoint(tmp_path / "a")
    shutil.copy(one, tmp_path / "b" / other.name)
    with pytest.raises(CheckpointError, match=other.name):
        released_format.load_checkpoint(tmp_path / "b")


@pytest.mark.parametrize("shard", ["../model.safetensors", "/etc/passwd", 3])
def test_a_shard_outside_the_folder_is_refused(p2, shard):
    (p2 / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"norm": shard}}))
    with pytest.raises(CheckpointError, match=r"shard.*safetensors"):
        released_format.load_checkpoint(p2)


def test_not_a_checkpoint(p2, tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        released_format.load_checkpoint(tmp_path / "nowhere")
    (p2 / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model.safetensors"):
        released_format.load_checkpoint(p2)
    (p2 / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(CheckpointError, match="safe_serialization"):
        released_format.load_checkpoint(p2)
    (p2 / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config.json"):
        released_format.load_checkpoint(p2)


def test_tied_matrix_written_twice(p2):
    tensors = load_file(p2 / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, p2 / "model.safetensors")
    assert released_format.load_checkpoint(p2).config.tied_embeddings
    tensors["lm_head.weight"] += 1
    save_file(tensors, p2 / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"lm_head.weight.*tie_word_embeddings"):
        released_format.load_checkpoint(p2)
    path = p2 / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tie_word_embeddings": False}))
    assert torch.equal(released_format.load_checkpoint(p2).head, tensors["lm_head.weight"])


def test_tied_matrix_under_the_head_s_name(p2):
    tensors = load_file(p2 / "model.safetensors")
    tensors["lm_head.weight"] = tensors.pop("model.embed_tokens.weight")
    save_file(tensors, p2 / "model.safetensors")
    assert torch.equal(released_format.load_checkpoint(p2).head, tensors["lm_head.weight"])


def test_saving_more_shards_leaves_no_stale_file(tmp_path):
    released_format.save_checkpoint(ParScaleLM(SMALL), tmp_path)
    model = ParScaleLM(SMALL)
    released_format.save_checkpoint(model, tmp_path, shard_bytes=9_000)
    assert not (tmp_path / "model.safetensors").exists()
    assert torch.equal(released_format.load_checkpoint(tmp_path).head, model.head)


@pytest.mark.parametrize("ends", [(), (7,), (7, 11)])
def test_what_ends_a_text_is_written(tmp_path, ends):
    released_format.save_checkpoint(ParScaleLM(SMALL), tmp_path, ends=ends)
    assert end_tokens(tmp_path) == ends


@pytest.mark.parametrize("place", ["/etc", "../..", "../a/b", "..x"])
def test_streams_name_no_far_backbone(tmp_path, place):
    save_file({"x": torch.zeros(1)}, tmp_path / "streams.safetensors", metadata={"backbone": place})
    with pytest.raises(CheckpointError, match=re.escape(f"'{place}'")):
        backbone_of(tmp_path)
