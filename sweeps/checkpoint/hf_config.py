"""config.json of the released format <-> ModelConfig."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scaling.data import limits
from sweeps.config.model import ModelConfig

PREFIX_TOKENS = 48  # what the released configurations mean when they say nothing
SMOOTHING = 0.01  # also: the default of the released code
ROPE_THETA = 10_000.0  # also of every family here
FAMILIES = ("qwen2", "qwen3", "qwen3_moe", "qwen2_parscale", "qwen3_parscale", "qwen3_moe_parscale")
REQUIRED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)
LOOPS = {"loops": "parscale_loops", "loop_layers": "parscale_loop_layers"}
COUNTS = (
    "num_key_value_heads", "head_dim", "max_position_embeddings", "moe_intermediate_size", *LOOPS.values(),
)  # fmt: skip


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or that is not what its configuration says."""


def read_hf_json(path: Path) -> dict[str, Any]:
    """One JSON object, or an error that names the file."""
    try:
        found = json.loads(limits.read_json(path))
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{path.parent} is no checkpoint: {_why_no_file(path)}") from None
    except limits.TooLarge as error:
        raise CheckpointError(str(error)) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} must hold a JSON object, got {type(found).__name__}")
    return found


def _why_no_file(path: Path) -> str:
    """What a folder without config.json is, and what to give instead."""
    folder = path.parent
    if folder.is_file():
        return f"it is a file. Give the folder that holds it and {path.name}"
    if not folder.exists():
        return "there is no such folder. A model of a hub must be downloaded first"
    if (folder / "adapter_config.json").exists():
        return "it holds an adapter alone. Merge it into its base model and save that"
    return f"it has no {path.name}"


def end_tokens(folder: str | Path) -> tuple[int, ...]:
    """Tokens that end a text, as a checkpoint names them: eos_token_id, one number or a list.

    generation_config.json goes before config.json, as in transformers. Where it names none, or is not there,
    config.json is asked. Empty where neither names any. A negative number, which some tools write, is none.

    Raises:
        CheckpointError: a file cannot be read, or eos_token_id is neither a token nor a list of tokens.

    """
    for path in (Path(folder) / "generation_config.json", Path(folder) / "config.json"):
        given = read_hf_json(path).get("eos_token_id") if path.exists() else None
        if given is None:
            continue
        several = given if isinstance(given, list) else [given]
        if not all(isinstance(token, int) and not isinstance(token, bool) for token in several):
            raise CheckpointError(f"{path}: eos_token_id must be a token or a list of tokens, got {given!r}")
        return tuple(token for token in several if token >= 0)
    return ()


def _refuse_unknown(found: dict[str, Any], where: str) -> None:
    """Everything this model does not compute is an error, not a silent difference."""
    family = found.get("model_type")
    if family not in FAMILIES:
        raise CheckpointError(f"{where}: model_type {family!r} is not one of {', '.join(FAMILIES)}")
    wrong = [key for key in REQUIRED if not _is_count(found.get(key))]
    wrong += [key for key in COUNTS if found.get(key) is not None and not _is_count(found[key])]
    if wrong:
        raise CheckpointError(f"{where}: missing or not a positive integer: {', '.join(wrong)}")
    classes = found.get("architectures") or []
    classes = classes if isinstance(classes, list) else [classes]
    tasks = [name for name in classes if not str(name).endswith(("LM", "Model"))]
    refused = {
        "sliding windows (use_sliding_window, layer_types)": _has_windows(found),
        f"hidden_act {found.get('hidden_act')!r}": found.get("hidden_act", "silu") not in ("silu", "swish"),
        "attention_bias (a bias on the output projection)": bool(found.get("attention_bias")),
        "dense layers among the mixtures": bool(found.get("mlp_only_layers"))
        or found.get("decoder_sparse_step", 1) != 1,
        "router weights that are not normalised": "moe" in family and not found.get("norm_topk_prob"),
        f"architectures {tasks} (language models alone are read)": bool(tasks),
    }
    if any(refused.values()):
        names = ", ".join(name for name, present in refused.items() if present)
        raise CheckpointError(f"{where}: not supported: {names}")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _has_windows(found: dict[str, Any]) -> bool:
    """Whether a layer sees a window of the tokens only, as transformers reads it."""
    kinds = found.get("layer_types")
    if kinds is not None and set(map(str, kinds)) != {"full_attention"}:
        return True
    if not found.get("use_sliding_window") or found.get("sliding_window", 4096) is None:
        return False
    first = found.get("max_window_layers", 28)  # the first layer with a window
    dense = isinstance(first, int) and "moe" not in found["model_type"]
    return not dense or (kinds is None and first < found["num_hidden_layers"])


def rope_theta(found: dict[str, Any], where: str) -> float:
    """The base of the rotary positions, which config.json may say in three places.

    Read as transformers 5 does: rope_scaling goes before rope_parameters, and rope_theta within it before the
    rope_theta of the file itself. Where that leaves a number out that the file also says, other versions
    read another model from it: an error, as is every scaling of the positions.
    """
    blocks: dict[str, dict[str, Any]] = {}
    for name in ("rope_scaling", "rope_parameters"):
        given = found.get(name) or {}
        if not isinstance(given, dict):
            got = type(given).__name__
            raise CheckpointError(f"{where}: the rope settings must be an object, got {got} as {name}")
        blocks[name] = given
        _refuse_scaling(given, name, where)
    read = blocks["rope_scaling"] or blocks["rope_parameters"]
    said = {"rope_theta": found} | {f"{name}.rope_theta": block for name, block in blocks.items()}
    thetas = {
        place: block["rope_theta"] for place, block in said.items() if block.get("rope_theta") is not None
    }
    for place, theta in thetas.items():
        if isinstance(theta, bool) or not isinstance(theta, int | float) or not 0 < theta < math.inf:
            raise CheckpointError(f"{where}: {place} must be a positive number, got {theta!r}")
    used = next(
        (block["rope_theta"] for block in (read, found) if block.get("rope_theta") is not None), ROPE_THETA
    )
    if any(theta != used for theta in thetas.values()):
        listed = ", ".join(f"{place} = {theta:g}" for place, theta in thetas.items())
        unsaid = "" if used in thetas.values() else f", rope_scaling none, which means {used:g}"
        raise CheckpointError(f"{where}: {listed}{unsaid}: keep the one that the model was trained with")
    return float(used)


def _refuse_scaling(block: dict[str, Any], name: str, where: str) -> None:
    """Raise for every kind of rotary positions but the plain one. A factor of 1 scales nothing."""
    kinds = [block[key] for key in ("rope_type", "type") if block.get(key) is not None]
    kind, factor = (kinds or ["default"])[0], block.get("factor")
    if any(isinstance(value, dict) for value in block.values()):
        raise CheckpointError(f"{where}: not supported: {name} by kinds of layers")
    if any(other != kind for other in kinds):
        raise CheckpointError(f"{where}: {name} says rope_type {kinds[0]!r} and type {kinds[1]!r}: keep one")
    if block.get("partial_rotary_factor") not in (None, 1):
        raise CheckpointError(
            f"{where}: not supported: {name} of a part of each head (partial_rotary_factor)"
        )
    plain = kind == "default" if kinds else factor in (None, 1)
    if not plain and not (kind in ("linear", "dynamic") and factor == 1):
        remedy = "remove it if it was added to read longer texts, else use a checkpoint without it"
        what = f"rope scaling {kind!r}" if kinds else f"a rope scaling of factor {factor} without rope_type"
        raise CheckpointError(f"{where}: not supported: {what} in {name}. {remedy}")


def from_json(found: dict[str, Any], where: str = "config.json") -> ModelConfig:
    """The model that a config.json describes. Whatever is not computed here is refused by name."""
    _refuse_unknown(found, where)
    rope_base, family, heads = rope_theta(found, where), found["model_type"], found["num_attention_heads"]
    head_dim, P = found.get("head_dim", 128 if "qwen3" in family else None), found.get("parscale_n", 1)
    released = "parscale" in family or (isinstance(P, int) and P > 1)
    try:
        return ModelConfig(
            vocab=found["vocab_size"],
            width=found["hidden_size"],
            ffn=found["moe_intermediate_size" if "moe" in family else "intermediate_size"],
            layers=found["num_hidden_layers"],
            heads=heads,
            kv_heads=found.get("num_key_value_heads") or heads,
            P=P,
            prefix_tokens=found.get("parscale_n_tokens", PREFIX_TOKENS),
            smoothing=found.get("parscale_attn_smooth", SMOOTHING if released else 0.1),
            rope_base=rope_base,
            head_dim=None if head_dim == found["hidden_size"] // heads else head_dim,
            tied_embeddings=bool(found.get("tie_word_embeddings", False)),
            norm_eps=found.get("rms_norm_eps", 1e-6),
            qkv_bias=found.get("parscale_qkv_bias", "qwen2" in family),
            qk_norm=found.get("parscale_qk_norm", "qwen3" in family),
            prefix_at_one=found.get("parscale_prefix_at_one", False),
            init_std=found.get("initializer_range", 0.02),
            context=found.get("max_position_embeddings"),
            **_experts_and_loops(found, "moe" in family),
        )
    except KeyError as error:
        raise CheckpointError(f"{where}: {error.args[0]} is missing") from None
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{where}: {error}") from None


def _experts_and_loops(found: dict[str, Any], mixture: bool) -> dict[str, Any]:
    """What a mixture, and what a looped model, has more than others."""
    loops = {name: found[key] for name, key in LOOPS.items() if key in found}
    if not mixture:
        return loops
    return loops | {
        "experts": found.get("num_experts") or found["num_local_experts"],
        "experts_per_token": found["num_experts_per_tok"],
        "balance_weight": found.get("router_aux_loss_coef", 0.001),
    }


def hf_json(config: ModelConfig, dtype: str, ends: Sequence[int] = ()) -> dict[str, Any]:
    """The config.json of a model: what other tools know by name, and ParScale's own keys.

    Args:
        config: the model.
        dtype: type of the weights, as torch names it.
        ends: tokens that end a text, which other tools stop at.

    """
    family, class_name, plain = _family(config)
    written: dict[str, Any] = {
        "architectures": [f"{class_name}{'' if plain else 'ParScale'}ForCausalLM"],
        "model_type": family if plain else f"{family}_parscale",
        "vocab_size": config.vocab,
        "hidden_size": config.width,
        "intermediate_size": config.ffn,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_size,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_base,
        "tie_word_embeddings": config.tied_embeddings,
        "initializer_range": config.init_std,
        "use_sliding_window": False,
        "sliding_window": None,  # transformers 4.51 reads it without asking the line above
        "torch_dtype": dtype,
        "parscale_n": config.P,
        "parscale_n_tokens": config.prefix_tokens,
        "parscale_attn_smooth": config.smoothing,
    }
    if ends:
        written["eos_token_id"] = ends[0] if len(ends) == 1 else list(ends)
    return written | _where_it_differs(config, plain)


def auto_map(config: ModelConfig, module: str) -> dict[str, dict[str, str]]:
    """Where transformers finds the classes of a model that is not its own: in a module next to config.json."""
    _, class_name, plain = _family(config)
    named = f"{module}.{class_name}ParScale"
    classes = {"AutoConfig": f"{named}Config", "AutoModelForCausalLM": f"{named}ForCausalLM"}
    return {} if plain else {"auto_map": classes}


def _where_it_differs(config: ModelConfig, plain: bool) -> dict[str, Any]:
    """Keys that only some models have."""
    written: dict[str, Any] = {}
    if config.context is not None:
        written["max_position_embeddings"] = config.context
    if config.experts:
        written |= _mixture(config)
    if not plain:
        written |= {"parscale_qkv_bias": config.qkv_bias, "parscale_qk_norm": config.qk_norm}
    if config.prefix_at_one:
        written["parscale_prefix_at_one"] = True
    if config.loops > 1:
        written |= {"parscale_loops": config.loops, "parscale_loop_layers": config.looped}
    return written


def _family(config: ModelConfig) -> tuple[str, str, bool]:
    """Model type, class name, and whether they say all there is to say."""
    qwen3 = config.qk_norm
    family = ("qwen3_moe" if config.experts else "qwen3") if qwen3 or config.experts else "qwen2"
    known = {"qwen2": (True, False), "qwen3": (False, True), "qwen3_moe": (False, True)}
    alone = config.P == 1 and config.loops == 1 and not config.prefix_at_one
    plain = alone and (config.qkv_bias, config.qk_norm) == known[family]
    return family, {"qwen2": "Qwen2", "qwen3": "Qwen3", "qwen3_moe": "Qwen3Moe"}[family], plain


def _mixture(config: ModelConfig) -> dict[str, Any]:
    return {
        "moe_intermediate_size": config.ffn,
        "num_experts": config.experts,
        "num_experts_per_tok": config.experts_per_token,
        "norm_topk_prob": True,
        "decoder_sparse_step": 1,
        "router_aux_loss_coef": config.balance_weight,
    }
