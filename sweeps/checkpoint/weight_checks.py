"""From the tensors of a file to the weights of a model: names, types, shapes, finite values.

Shapes: o rows (outputs) and i columns (inputs) of a weight.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from torch import Tensor

from sweeps.checkpoint.hf_config import CheckpointError, hf_json, read_hf_json
from sweeps.checkpoint.weight_files import tensor_places
from sweeps.config.model import ModelConfig
from sweeps.model.parscale import ParScaleLM

T = TypeVar("T")  # a tensor, or its substitute
EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"}
PLAIN = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
FLOAT8 = tuple(
    getattr(torch, name)
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz")
    if hasattr(torch, name)
)
SCALES = (".weight_scale_inv", ".weight_scale")  # both multiply the weight, whatever the first is called
OF_ACTIVATIONS = re.compile(r"\.(input|output|activation|q|k|v)_(activation_)?scale(_inv|_ub)?$")
BLOCK = 128  # side of a square with a scale of its own, where config.json names none
SHOWN = 8  # tensors that one error lists
HINTS = {
    "lora_": "these are adapters: merge them into their base model and save that",
    "score.": "this is a classifier: a language model has a head over its vocabulary",
    "visual.": "this model sees images: its text part alone can be read",
}


def official_names(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors under the released names, whatever wrapper or base class wrote them.

    Wrappers (module., _orig_mod. and such) are left out wherever they are, and what comes before the
    embedding's name becomes `model.`. Where two tensors would meet under one name nothing is changed.
    """
    bare = {name: ".".join(part for part in name.split(".") if part not in WRAPPERS) for name in tensors}
    tail = EMBEDDING.removeprefix("model.")
    fronts = [name.removesuffix(tail) for name in bare.values() if name == tail or name.endswith(f".{tail}")]
    if len(fronts) == 1:
        bare = {name: _under_model(plain, fronts[0]) for name, plain in bare.items()}
    if len(set(bare.values())) < len(bare):
        return dict(tensors)
    return {bare[name]: tensor for name, tensor in tensors.items()}


def tensors_one_by_one(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """A checkpoint's tensors under the released names, in their order, one in memory at a time.

    A head that is the embedding is left out, or takes its name where it alone is there.
    """
    places = tensor_places(folder)
    of_file = official_names({name: name for name in places})
    tied = bool(read_hf_json(folder / "config.json").get("tie_word_embeddings"))
    if tied and HEAD in of_file:
        of_file.setdefault(EMBEDDING, of_file[HEAD])
        del of_file[HEAD]
    for official, name in sorted(of_file.items()):
        with safe_open(places[name], framework="pt") as shard:
            yield official, shard.get_tensor(name)


def _under_model(name: str, front: str) -> str:
    """A name with `front` replaced by `model.`. The head lies outside the model, wherever it was put."""
    if name.rpartition("lm_head.")[2] == "weight" and "lm_head." in name:
        return HEAD
    if not front and name.startswith("model."):  # streams, next to a backbone that lacks the word
        return name
    return f"model.{name.removeprefix(front)}" if name.startswith(front) else name


def dequantise(
    tensors: Mapping[str, Tensor], where: str, quantisation: Mapping[str, Any] | None = None
) -> dict[str, Tensor]:
    """Float8 weights with a scale next to them as float32. Everything else as it is.

    The scale, `weight_scale` or `weight_scale_inv`, is one number, one a row, or one a block of the weight.

    Args:
        tensors: by name. Scales of activations and of the cache are dropped where weights have scales.
        where: the checkpoint, for errors.
        quantisation: config.json's quantization_config, which may name the blocks' size.

    Raises:
        CheckpointError: a scale does not fit its weight, or weights are of integers (quantised otherwise).

    """
    made = dict(tensors)
    for name, weight in tensors.items():
        stem = name.removesuffix(".weight")
        scale = next((stem + end for end in SCALES if stem + end in tensors), None)
        if weight.dtype in FLOAT8 and name.endswith(".weight") and scale is not None:
            made[name] = weight.float() * _spread(made.pop(scale), weight, name, where, quantisation)
    if len(made) < len(tensors):
        made = {name: tensor for name, tensor in made.items() if not OF_ACTIVATIONS.search(name)}
    other = [name for name, tensor in made.items() if tensor.dtype not in PLAIN + FLOAT8]
    if other:
        what = f"{_count(other)} of {str(made[other[0]].dtype).removeprefix('torch.')} ({other[0]} first)"
        method = f", quantised with {kind}" if (kind := (quantisation or {}).get("quant_method")) else ""
        raise CheckpointError(
            f"{where}: {what}{method}: only floating-point weights are read. Use the checkpoint before quantisation"
        )
    return made


def _spread(
    scale: Tensor, weight: Tensor, name: str, where: str, quantisation: Mapping[str, Any] | None
) -> Tensor:
    """The scale as something that multiplies the weight (o, i)."""
    scale, shape = scale.float(), tuple(weight.shape)
    if scale.numel() == 1:
        return scale.reshape(())
    if scale.shape in ((shape[0],), (shape[0], 1)):
        return scale.reshape(shape[0], *[1] * (len(shape) - 1))
    given = (quantisation or {}).get("weight_block_size")
    if scale.dim() == len(shape) == 2:
        for size in ((BLOCK, BLOCK) if given is None else tuple(given), _divided(shape, scale)):
            if tuple(scale.shape) == tuple(math.ceil(n / side) for n, side in zip(shape, size, strict=True)):
                whole = scale.repeat_interleave(size[0], 0).repeat_interleave(size[1], 1)
                return whole[: shape[0], : shape[1]]
    raise CheckpointError(
        f"{where}: {name} {shape} has a scale of shape {tuple(scale.shape)}, which fits no block"
    )


def _divided(shape: tuple[int, ...], scale: Tensor) -> tuple[int, ...]:
    """The blocks' size where they divide the weight evenly."""
    return tuple(n // parts if n % parts == 0 else n + 1 for n, parts in zip(shape, scale.shape, strict=True))


def shapes_of(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter of a model. Nothing is allocated."""
    with torch.device("meta"):
        return {name: tuple(p.shape) for name, p in ParScaleLM(config).named_parameters()}


def fit_tensors(config: ModelConfig, tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The tensors the model wants, under its names.

    Raises:
        CheckpointError: a tensor is missing, extra or of another shape. The error names what config.json would
            have to say where that alone is wrong, else it lists the tensors.

    """
    wanted, given = shapes_of(config), dict(tensors)
    if config.tied_embeddings and HEAD in given:
        if EMBEDDING not in given:
            given[EMBEDDING] = given.pop(HEAD)  # some tools keep one name of the tied matrix
        elif torch.equal(given[HEAD], given[EMBEDDING]):
            del given[HEAD]  # others write it twice
    problems = [f"missing {name} {wanted[name]}" for name in wanted if name not in given]
    problems += [f"extra {name} {tuple(given[name].shape)}" for name in given if name not in wanted]
    problems += [
        f"{name} has shape {tuple(given[name].shape)}, the configuration says {wanted[name]}"
        for name in wanted
        if name in given and tuple(given[name].shape) != wanted[name]
    ]
    if problems:
        told = _corrected(config, given) or _listed(problems, given)
        raise CheckpointError(f"{where}: {told}")
    return given


def _listed(problems: list[str], given: Mapping[str, Tensor]) -> str:
    """The first of the tensors that do not fit, a line each, and what kind of model they are of."""
    lines = problems[:SHOWN] + ([f"and {len(problems) - SHOWN:,} more"] if len(problems) > SHOWN else [])
    hint = next((hint for part, hint in HINTS.items() if any(part in name for name in given)), None)
    verb = "does" if len(problems) == 1 else "do"
    told = f"{_count(problems)} {verb} not fit:\n  " + "\n  ".join(lines)
    return f"{told}\n{hint or 'config.json is of another model, or the weights are not whole'}"


def _count(names: list[str]) -> str:
    return f"{len(names):,} tensor{'' if len(names) == 1 else 's'}"


def _corrected(config: ModelConfig, given: Mapping[str, Tensor]) -> str | None:
    """What config.json would have to say for these very tensors. None where no value of it makes them fit."""
    found = _as_weights_say(config, given)
    if found is None or shapes_of(found) != {name: tuple(tensor.shape) for name, tensor in given.items()}:
        return None
    before, after = hf_json(config, ""), hf_json(found, "")
    keys = [key for key in after if key in before and key != "model_type" and before[key] != after[key]]
    keys = [key for key in keys if key not in ("architectures", "parscale_prefix_at_one")]
    says = ", ".join(f"{key} = {before[key]}".lower() for key in keys)
    hold = ", ".join(f"{key} = {after[key]}".lower() for key in keys)
    if not keys:
        return None
    if keys == ["parscale_n"] and found.P == 1:
        added = f"all that is missing is what P = {config.P} adds"
        return f"{added}: set parscale_n to 1 in config.json and grow the model with --streams {config.P}"
    if keys == ["tie_word_embeddings"] and config.tied_embeddings:
        return f"{HEAD} differs from {EMBEDDING}, which config.json ties: set tie_word_embeddings to false"
    if keys == ["tie_word_embeddings"]:
        return f"{HEAD} is missing: save the model with its head, or set tie_word_embeddings to true if it is tied"
    return (
        f"config.json says {says}, the weights are of {hold}. Set that in config.json, or restore the weights"
    )


def _as_weights_say(config: ModelConfig, given: Mapping[str, Tensor]) -> ModelConfig | None:
    """The configuration with the sizes of these tensors. None where they are of no model of this kind."""
    layers = {int(match[1]) for name in given if (match := re.match(r"model\.layers\.(\d+)\.", name))}
    prefix = given.get("model.layers.0.self_attn.prefix_k")
    if EMBEDDING not in given or not layers or (prefix is not None and prefix.dim() != 4):
        return None
    P, K = (1, config.prefix_tokens) if prefix is None else (prefix.shape[0], prefix.shape[2])
    up = given.get("model.layers.0.mlp.up_proj.weight")
    changes: dict[str, Any] = {
        "vocab": given[EMBEDDING].shape[0],
        "layers": max(layers) + 1,
        "ffn": config.ffn if up is None else up.shape[0],
        "P": P,
        "prefix_tokens": K,
        "prefix_at_one": prefix is not None and P == 1,
        "tied_embeddings": HEAD not in given,
    }
    try:
        return replace(config, **changes)
    except ValueError:
        return None


def choose_dtype(
    tensors: Mapping[str, Tensor], dtype: torch.dtype | None, device: torch.device, where: str
) -> torch.dtype:
    """The type to compute in: the caller's, else the checkpoint's own, if this device computes in it."""
    found = {tensor.dtype for tensor in tensors.values()}
    small = [name for name, tensor in tensors.items() if tensor.dtype in FLOAT8]
    if dtype is None and small:
        kind = str(tensors[small[0]].dtype).removeprefix("torch.")
        raise CheckpointError(
            f"{where}: {_count(small)} of {kind} without a scale ({small[0]} first), which no model computes in. "
            "Load with dtype=torch.float32 (--dtype float32) if they need none"
        )
    chosen = dtype or (found.pop() if len(found) == 1 else torch.float32)
    if chosen not in PLAIN:
        raise CheckpointError(
            f"{where}: no model computes in {chosen}. Choose torch.float32 or torch.bfloat16"
        )
    if chosen == torch.float16 and device.type == "cpu":
        raise CheckpointError(
            "float16 weights overflow and crawl on a CPU: load with dtype=torch.float32 (--dtype)"
        )
    return chosen


def refuse_not_finite(tensors: Mapping[str, Tensor], where: str) -> None:
    """Raise CheckpointError that names each tensor with a value that is not finite, and how many it has."""
    counts = {name: tensor.numel() - int(tensor.isfinite().sum()) for name, tensor in tensors.items()}
    wrong = {name: count for name, count in counts.items() if count}
    if wrong:
        parts = [f"{name} ({n:,} of {tensors[name].numel():,} values)" for name, n in wrong.items()]
        more = f" and {len(parts) - SHOWN:,} more" if len(parts) > SHOWN else ""
        listed = ", ".join(parts[:SHOWN]) + more
        raise CheckpointError(
            f"{where}: not finite: {listed}. The training diverged or the file is damaged: take another checkpoint"
        )
