"""Checkpoints in the released ParScale format: config.json and one or several safetensors shards.

The same format holds plain Qwen2 and Qwen3 models, which load as P = 1 and can be grown to any P. A model
whose backbone is frozen may keep `streams.safetensors` alone, what ParScale adds, which names the folder of
its backbone (`sweeps.checkpoint.stream_bank` writes it). Nothing here unpickles.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from scaling.data.atomic_files import replacing
from sweeps.checkpoint.hf_config import from_json, hf_json, read_hf_json
from sweeps.checkpoint.shards import split_shards, tensors_fingerprint, write_shard
from sweeps.checkpoint.weight_checks import (
    choose_dtype,
    dequantise,
    fit_tensors,
    official_names,
    refuse_not_finite,
)
from sweeps.checkpoint.weight_files import FINGERPRINT, INDEX, SINGLE, read_tensors
from sweeps.config.model import ModelConfig
from sweeps.model.blocks import is_extra
from sweeps.model.parscale import ParScaleLM

SHARD_BYTES = 5_000_000_000  # the largest shard that is written


def read_config(folder: str | Path) -> ModelConfig:
    """The configuration of a checkpoint folder (Qwen2, Qwen3, their ParScale and mixture variants)."""
    path = Path(folder) / "config.json"
    return from_json(read_hf_json(path), where=str(path))


def load_checkpoint(
    folder: str | Path, dtype: torch.dtype | None = None, device: str | torch.device = "cpu"
) -> ParScaleLM:
    """The model in a checkpoint folder, in evaluation mode.

    Args:
        folder: config.json and model.safetensors, or shards with an index.
        dtype: type of the weights. None keeps the checkpoint's own (float32 for float8 with scales).
        device: where to put them.

    Returns:
        The model, with P as in config.json.

    Raises:
        CheckpointError: for a faulty folder, shard, configuration or tensor, which it names.
    """
    where, target, path = str(folder), torch.device(device), Path(folder) / "config.json"
    about = read_hf_json(path)
    config, quantisation = from_json(about, where=str(path)), about.get("quantization_config")
    tensors = official_names(read_tensors(folder))
    kept = fit_tensors(config, dequantise(tensors, where, quantisation), where)
    chosen = choose_dtype(kept, dtype, target, where)
    placed = {name: tensor.to(target, chosen) for name, tensor in kept.items()}
    refuse_not_finite(placed, where)
    with torch.device("meta"):
        model = ParScaleLM(config)
    model.load_state_dict(placed, assign=True)
    return model.eval()


def merged_state(model: ParScaleLM) -> dict[str, Tensor]:
    """The model's tensors under their official names. A reparameterised prefix is what it evaluates to."""
    state = {}
    for name, tensor in model.state_dict().items():
        if ".parametrizations." not in name:
            state[name] = tensor
    for index, attention in enumerate(model.attentions):
        if model.config.K:
            for prefix in ("prefix_k", "prefix_v"):
                state[f"model.layers.{index}.self_attn.{prefix}"] = getattr(attention, prefix)
    return {name: tensor.detach().to("cpu").contiguous() for name, tensor in state.items()}


def save_checkpoint(
    model: ParScaleLM,
    folder: str | Path,
    dtype: torch.dtype | None = None,
    tokenizer: str | Path | None = None,
    shard_bytes: int = SHARD_BYTES,
    ends: Sequence[int] = (),
) -> Path:
    """Write the model in the released format. Each file appears whole or not at all.

    Args:
        model: any P. Reparameterised prefixes are merged.
        folder: made if it does not exist.
        dtype: type of the weights in the file. None keeps the model's.
        tokenizer: a tokenizer.json to copy.
        shard_bytes: largest shard, in bytes.
        ends: tokens that end a text, for config.json.

    Returns:
        The folder.

    Examples:
        >>> import tempfile
        >>> from sweeps import checkpoint
        >>> from sweeps.config import ModelConfig
        >>> from sweeps.model import ParScaleLM
        >>> shape = dict(vocab=64, width=16, ffn=32, layers=1, heads=2, kv_heads=1)
        >>> model = ParScaleLM(ModelConfig(**shape, P=2, prefix_tokens=4))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     checkpoint.load(checkpoint.save(model, folder)).config.P
        2
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = write_weights(model, folder, dtype, shard_bytes)
    if tokenizer is not None:
        with replacing(folder / "tokenizer.json") as temporary:
            shutil.copyfile(tokenizer, temporary)
    write_json(folder / "config.json", hf_json(model.config, written, ends))
    return folder


def write_weights(
    model: ParScaleLM, folder: Path, dtype: torch.dtype | None = None, shard_bytes: int = SHARD_BYTES
) -> str:
    """Write the weights alone, the same bytes for the same weights. Returns their type, as torch names it."""
    state = {name: tensor.to(dtype or tensor.dtype) for name, tensor in sorted(merged_state(model).items())}
    shards = list(split_shards(state, shard_bytes))
    stamp = {"format": "pt", FINGERPRINT: tensors_fingerprint(state.items())}
    names = [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    names = names if len(shards) > 1 else [SINGLE]
    for name, shard in zip(names, shards, strict=True):
        with replacing(folder / name) as temporary:
            write_shard(shard, temporary, stamp)
    if len(shards) > 1:
        placed = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        total = sum(tensor.nbytes for tensor in state.values())
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": placed})
        (folder / SINGLE).unlink(missing_ok=True)  # of a smaller model once saved here
    else:
        (folder / INDEX).unlink(missing_ok=True)  # of a larger model once saved here
    return str(next(iter(state.values())).dtype).removeprefix("torch.")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write the object, readably."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")


def grow(
    model: ParScaleLM,
    P: int,
    prefix_tokens: int = 48,
    smoothing: float = 0.1,
    prefix_std: float | None = None,
    aggregation_std: float | None = None,
) -> ParScaleLM:
    """A model of P streams on a copy of the given backbone, what ParScale adds drawn again.

    Drawn with the backbone's init_std, prefixes and aggregation with a std of their own where it is given.
    `sweeps.model.stream_initialisation.quiet_streams` then makes the model start at the backbone's own loss.
    """
    drawn: dict[str, Any] = {"prefix_std": prefix_std, "aggregation_std": aggregation_std}
    added: dict[str, Any] = {"prefix_tokens": prefix_tokens, "smoothing": smoothing, **drawn}
    config = replace(model.config, P=P, prefix_at_one=False, **added)
    grown = ParScaleLM(config)
    backbone = {name: tensor for name, tensor in merged_state(model).items() if not is_extra(name)}
    grown.load_state_dict(backbone, strict=False)
    return grown.to(model.head.device, model.head.dtype)
