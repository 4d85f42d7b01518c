"""Checkpoints in the released ParScale format: config.json and one or several safetensors shards.

The same format holds plain Qwen2 and Qwen3 models, which load as P = 1 and can be grown to any P. A model
whose backbone is frozen may keep `streams.safetensors` alone, what ParScale adds, which names the folder of
its backbone (`sweeps.checkpoint.stream_bank` writes it). Nothing here unpickles.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from scaling.data.atomic_files import replacing
from sweeps.checkpoint.hf_config import CheckpointError, from_json, hf_json, read_hf_json
from sweeps.checkpoint.shards import split_shards, tensors_fingerprint, write_shard
from sweeps.config.model import ModelConfig
from sweeps.model.blocks import is_extra
from sweeps.model.parscale import ParScaleLM

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
STREAMS = "streams.safetensors"
BACKBONE = "backbone"  # in STREAMS: the backbone's folder, seen from there
FINGERPRINT = "checkpoint_sha256"  # in every shard we write: which checkpoint it belongs to


def read_config(folder: str | Path) -> ModelConfig:
    """The configuration of a checkpoint folder (Qwen2, Qwen3, their ParScale and mixture variants)."""
    path = Path(folder) / "config.json"
    return from_json(read_hf_json(path), where=str(path))


def shard_map(folder: Path) -> dict[Path, set[str] | None]:
    """Each shard and the tensors the index says it holds (None where there is no index)."""
    if (folder / INDEX).exists():
        weight_map = read_hf_json(folder / INDEX).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise CheckpointError(f"{folder / INDEX} has no weight_map")
        for shard in weight_map.values():  # a stranger's index names files in its own folder only
            if not (isinstance(shard, str) and re.fullmatch(r"[\w.-]+\.safetensors", shard)):
                raise CheckpointError(f"{folder / INDEX} names a shard {shard!r}: no safetensors file here")
        return {
            folder / shard: {tensor for tensor, place in weight_map.items() if place == shard}
            for shard in sorted(set(weight_map.values()))
        }
    if (folder / SINGLE).exists():
        return {folder / SINGLE: None}
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
        raise CheckpointError(f"{folder} holds pickled weights only: convert them to safetensors first")
    raise CheckpointError(f"{folder} has neither {SINGLE} nor {INDEX}")


def read_shard(path: Path) -> tuple[dict[str, Tensor], str | None]:
    """A shard's tensors and the fingerprint of the checkpoint it was written for, if it has one."""
    try:
        with safe_open(path, framework="pt") as shard:
            stamp = (shard.metadata() or {}).get(FINGERPRINT)
            return {name: shard.get_tensor(name) for name in shard.keys()}, stamp  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path} is missing: the index names it") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error}") from None


def backbone_of(folder: Path) -> Path | None:
    """Where the backbone of a folder that holds streams alone lies: the folder above, or one beside it."""
    path = folder / STREAMS
    if not path.exists() or (folder / SINGLE).exists() or (folder / INDEX).exists():
        return None
    try:
        with safe_open(path, framework="pt") as shard:
            told = str((shard.metadata() or {}).get(BACKBONE, ".."))  # a file's word: it leads no further
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error}") from None
    if not re.fullmatch(r"\.\.(/[\w-]+)?", told):
        raise CheckpointError(f"{path} names a backbone {told!r}: not the folder above, nor one beside it")
    return folder.resolve() / told


def read_tensors(folder: str | Path) -> dict[str, Tensor]:
    """Every tensor of a checkpoint; shards that do not belong together are refused."""
    if backbone := backbone_of(Path(folder)):
        return read_tensors(backbone) | read_shard(Path(folder) / STREAMS)[0]
    tensors: dict[str, Tensor] = {}
    stamps: dict[str, str] = {}
    for path, promised in shard_map(Path(folder)).items():
        found, stamp = read_shard(path)
        if promised is not None and promised != set(found):
            strange, absent = sorted(set(found) - promised), sorted(promised - set(found))
            raise CheckpointError(f"{path} is not the index's shard: has {strange}, lacks {absent}")
        if stamp is not None:
            stamps[path.name] = stamp
        tensors |= found
    if len(set(stamps.values())) > 1:
        listed = ", ".join(f"{name} {stamp[:12]}" for name, stamp in stamps.items())
        raise CheckpointError(f"{folder}: shards of different checkpoints: {listed}")
    return {name: tensor for name, tensor in tensors.items() if not name.endswith("rotary_emb.inv_freq")}


def fit_tensors(model: ParScaleLM, tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The tensors the model wants; one error lists all that are missing, extra or of another shape."""
    wanted = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    given = dict(tensors)
    both = model.config.tied_embeddings and {"lm_head.weight", "model.embed_tokens.weight"} <= set(given)
    if both and torch.equal(given["lm_head.weight"], given["model.embed_tokens.weight"]):
        del given["lm_head.weight"]  # some tools write the tied matrix twice
    problems = [f"missing {name} {wanted[name]}" for name in wanted if name not in given]
    problems += [f"extra {name} {tuple(given[name].shape)}" for name in given if name not in wanted]
    problems += [
        f"{name} has shape {tuple(given[name].shape)}, the configuration says {wanted[name]}"
        for name in wanted
        if name in given and tuple(given[name].shape) != wanted[name]
    ]
    if problems:
        raise CheckpointError(f"{where}: {len(problems)} tensors do not fit:\n  " + "\n  ".join(problems))
    return given


def choose_dtype(
    tensors: Mapping[str, Tensor], dtype: torch.dtype | None, device: torch.device
) -> torch.dtype:
    """The type to compute in: the caller's, else the checkpoint's own, if this device computes in it."""
    found = {tensor.dtype for tensor in tensors.values()}
    chosen = dtype or (found.pop() if len(found) == 1 else torch.float32)
    if not chosen.is_floating_point:
        raise CheckpointError(f"weights of type {chosen}: quantised checkpoints are not supported")
    if chosen == torch.float16 and device.type == "cpu":
        raise CheckpointError(
            "float16 weights overflow and crawl on a CPU: load with dtype=torch.float32 (--dtype)"
        )
    return chosen


def load(
    folder: str | Path, dtype: torch.dtype | None = None, device: str | torch.device = "cpu"
) -> ParScaleLM:
    """The model in a checkpoint folder, in evaluation mode.

    Args:
        folder: config.json and model.safetensors, or shards with an index.
        dtype: type of the weights; None keeps the checkpoint's own.
        device: where to put them.

    Raises:
        CheckpointError: the folder, a shard, the configuration or any tensor is not what it must be.

    """
    config, tensors, target = read_config(folder), read_tensors(folder), torch.device(device)
    with torch.device("meta"):
        model = ParScaleLM(config)
    kept = fit_tensors(model, tensors, str(folder))
    chosen = choose_dtype(kept, dtype, target)
    placed = {name: tensor.to(target, chosen) for name, tensor in kept.items()}
    model.load_state_dict(placed, assign=True)
    return model.eval()


def merged_state(model: ParScaleLM) -> dict[str, Tensor]:
    """The model's tensors under their official names; a reparameterised prefix is what it evaluates to."""
    state = {}
    for name, tensor in model.state_dict().items():
        if ".parametrizations." not in name:
            state[name] = tensor
    for index, attention in enumerate(model.attentions):
        if model.config.K:
            for prefix in ("prefix_k", "prefix_v"):
                state[f"model.layers.{index}.self_attn.{prefix}"] = getattr(attention, prefix)
    return {name: tensor.detach().to("cpu").contiguous() for name, tensor in state.items()}


def save(
    model: ParScaleLM,
    folder: str | Path,
    dtype: torch.dtype | None = None,
    tokenizer: str | Path | None = None,
    shard_bytes: int = 5_000_000_000,
) -> Path:
    """Write the model in the released format; each file appears whole or not at all.

    Args:
        model: any P; reparameterised prefixes are merged.
        folder: made if it is not there.
        dtype: type to write the weights in; None keeps the model's.
        tokenizer: a tokenizer.json to put beside the weights.
        shard_bytes: largest shard.

    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.to(dtype or tensor.dtype) for name, tensor in merged_state(model).items()}
    shards = list(split_shards(state, shard_bytes))
    stamp = {"format": "pt", FINGERPRINT: tensors_fingerprint(state)}
    names = [f"model-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    names = names if len(shards) > 1 else [SINGLE]
    for name, shard in zip(names, shards, strict=True):
        with replacing(folder / name) as temporary:
            write_shard(shard, temporary, stamp)
    if len(shards) > 1:
        placed = {tensor: name for name, shard in zip(names, shards, strict=True) for tensor in shard}
        total = sum(tensor.nbytes for tensor in state.values())
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": placed})
    else:
        (folder / INDEX).unlink(missing_ok=True)  # of a larger model once saved here
    if tokenizer is not None:
        with replacing(folder / "tokenizer.json") as temporary:
            shutil.copyfile(tokenizer, temporary)
    dtype_name = str(next(iter(state.values())).dtype).removeprefix("torch.")
    write_json(folder / "config.json", hf_json(model.config, dtype_name))
    return folder


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
    """A model of P streams on a copy of the given backbone, what ParScale adds drawn anew.

    Drawn with the backbone's init_std, prefixes and aggregation with a std of their own where it is given.
    `sweeps.model.stream_initialisation.quiet` then makes the model start at the backbone's own loss.
    """
    drawn: dict[str, Any] = {"prefix_std": prefix_std, "aggregation_std": aggregation_std}
    added: dict[str, Any] = {"prefix_tokens": prefix_tokens, "smoothing": smoothing, **drawn}
    config = replace(model.config, P=P, prefix_at_one=False, **added)
    grown = ParScaleLM(config)
    backbone = {name: tensor for name, tensor in merged_state(model).items() if not is_extra(name)}
    grown.load_state_dict(backbone, strict=False)
    return grown.to(model.head.device, model.head.dtype)
