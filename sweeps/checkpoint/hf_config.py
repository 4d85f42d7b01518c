"""config.json of the released format <-> ModelConfig."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scaling.data import limits
from sweeps.config.model import ModelConfig

PREFIX_TOKENS = 48  # what the released configurations mean when they say nothing
SMOOTHING = 0.01  # likewise: the default of the released code
FAMILIES = ("qwen2", "qwen3", "qwen3_moe", "qwen2_parscale", "qwen3_parscale", "qwen3_moe_parscale")
REQUIRED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or that is not what its configuration says."""


def read_hf_json(path: Path) -> dict[str, Any]:
    """One JSON object, or an error that names the file."""
    try:
        found = json.loads(limits.read_json(path))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} is no checkpoint: it has no {path.name}") from None
    except limits.TooLarge as error:
        raise CheckpointError(str(error)) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} must hold a JSON object, got {type(found).__name__}")
    return found


def _refuse_unknown(found: dict[str, Any], where: str) -> None:
    """Everything this model does not compute is an error, not a silent difference."""
    family = found.get("model_type")
    if family not in FAMILIES:
        raise CheckpointError(f"{where}: model_type {family!r} is not one of {', '.join(FAMILIES)}")
    missing = [key for key in REQUIRED if not isinstance(found.get(key), int) or found[key] < 1]
    if missing:
        raise CheckpointError(f"{where}: missing or not a positive integer: {', '.join(missing)}")
    rope = found.get("rope_parameters") or found.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise CheckpointError(f"{where}: the rope settings must be an object, got {type(rope).__name__}")
    kind = rope.get("rope_type", rope.get("type", "default"))
    refused = {
        "use_sliding_window": bool(found.get("use_sliding_window")),
        f"rope scaling {kind!r}": kind != "default",
        f"hidden_act {found.get('hidden_act')!r}": found.get("hidden_act", "silu") != "silu",
        "attention_bias (a bias on the output projection)": bool(found.get("attention_bias")),
        "dense layers among the mixtures": bool(found.get("mlp_only_layers"))
        or found.get("decoder_sparse_step", 1) != 1,
        "router weights that are not normalised": "moe" in family and not found.get("norm_topk_prob"),
    }
    if any(refused.values()):
        names = ", ".join(name for name, present in refused.items() if present)
        raise CheckpointError(f"{where}: not supported: {names}")


def from_json(found: dict[str, Any], where: str = "config.json") -> ModelConfig:
    """The model that a config.json describes; whatever is not computed here is refused by name."""
    _refuse_unknown(found, where)
    family, heads, moe = found["model_type"], found["num_attention_heads"], "moe" in found["model_type"]
    rope = found.get("rope_parameters") or {}
    head_dim = found.get("head_dim", 128 if "qwen3" in family else None)
    try:
        return ModelConfig(
            vocab=found["vocab_size"],
            width=found["hidden_size"],
            ffn=found["moe_intermediate_size"] if moe else found["intermediate_size"],
            layers=found["num_hidden_layers"],
            heads=heads,
            kv_heads=found.get("num_key_value_heads") or heads,
            P=found.get("parscale_n", 1),
            prefix_tokens=found.get("parscale_n_tokens", PREFIX_TOKENS),
            smoothing=found.get("parscale_attn_smooth", SMOOTHING if "parscale" in family else 0.1),
            rope_base=float(found.get("rope_theta") or rope.get("rope_theta", 10_000.0)),
            head_dim=None if head_dim == found["hidden_size"] // heads else head_dim,
            tied_embeddings=bool(found.get("tie_word_embeddings", False)),
            norm_eps=found.get("rms_norm_eps", 1e-6),
            qkv_bias=found.get("parscale_qkv_bias", "qwen2" in family),
            qk_norm=found.get("parscale_qk_norm", "qwen3" in family),
            prefix_at_one=found.get("parscale_prefix_at_one", False),
            init_std=found.get("initializer_range", 0.02),
            context=found.get("max_position_embeddings"),
            experts=(found.get("num_experts") or found["num_local_experts"]) if moe else 0,
            experts_per_token=found["num_experts_per_tok"] if moe else 2,
            balance_weight=found.get("router_aux_loss_coef", 0.001) if moe else 0.01,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{where}: {error}") from None


def hf_json(config: ModelConfig, dtype: str) -> dict[str, Any]:
    """The config.json of a model: what other tools know by name, and ParScale's own keys."""
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
        "head_dim": config.shape.head_size,
        "hidden_act": "silu",
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_base,
        "tie_word_embeddings": config.tied_embeddings,
        "initializer_range": config.init_std,
        "use_sliding_window": False,
        "torch_dtype": dtype,
        "parscale_n": config.P,
        "parscale_n_tokens": config.prefix_tokens,
        "parscale_attn_smooth": config.smoothing,
    }
    return written | _where_it_differs(config, plain)


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
    return written


def _family(config: ModelConfig) -> tuple[str, str, bool]:
    """Model type, class name, and whether they say all there is to say."""
    qwen3 = config.qk_norm
    family = ("qwen3_moe" if config.experts else "qwen3") if qwen3 or config.experts else "qwen2"
    known = {"qwen2": (True, False), "qwen3": (False, True), "qwen3_moe": (False, True)}
    plain = config.P == 1 and not config.prefix_at_one and (config.qkv_bias, config.qk_norm) == known[family]
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
