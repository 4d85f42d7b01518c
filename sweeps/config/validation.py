"""What a configuration must be to be trained: each fault is told by the name of its field."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.config.run import ModelConfig, RunConfig

CHOICES = {
    "optimizer": ("adamw", "muon"),
    "schedule": ("cosine", "linear", "wsd"),
    "recipe": ("scratch", "stage-1", "two-stage", "continual", "peft"),
    "precision": ("float32", "bf16"),
    "start": ("random", "quiet"),
}
KINDS = {"int": (int,), "float": (int, float), "str": (str,), "bool": (bool,)}
WORDS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "True or False"}


def names(cls: type, values: dict[str, object]) -> None:
    """Raise if `values` has a key that is no field of `cls`, or lacks one without a default."""
    known = {field.name: field for field in fields(cls)}
    unknown = sorted(set(values) - set(known))
    needed = {name for name, field in known.items() if field.default is MISSING}
    missing = sorted(needed - set(values))
    if unknown or missing:
        raise ValueError(f"{cls.__name__}: unknown fields {unknown}, missing fields {missing}")


def types(config: Any) -> None:
    """Raise if a field's value is not of the type that it is declared with; a bool is no number."""
    for field in fields(config):
        value, (kind, *rest) = getattr(config, field.name), str(field.type).split(" | ")
        if kind not in KINDS or (value is None and rest == ["None"]):
            continue
        if not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "bool"):
            raise ValueError(f"{field.name}={value!r}: must be {WORDS[kind]}")


def model(config: ModelConfig) -> None:
    """Raise if a model of these numbers cannot be built."""
    types(config)
    for name in ("vocab", "width", "ffn", "layers", "heads", "kv_heads", "P"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(config, name)}")
    if (config.P > 1 or config.prefix_at_one) and config.prefix_tokens < 1:
        raise ValueError(f"P = {config.P} streams need prefix_tokens >= 1, got {config.prefix_tokens}")
    if config.heads % config.kv_heads:
        raise ValueError(f"kv_heads = {config.kv_heads} does not divide heads = {config.heads}")
    if config.head_dim is None and config.width % config.heads:
        raise ValueError(f"heads = {config.heads} does not divide width = {config.width}: set head_dim")
    if config.shape.head_size % 2:
        raise ValueError(f"head_dim must be even for rotary positions, got {config.shape.head_size}")
    if not 0 <= config.smoothing <= 1:
        raise ValueError(f"smoothing must lie in [0, 1], got {config.smoothing}")
    if config.experts and not 1 <= config.experts_per_token <= config.experts:
        raise ValueError(f"experts_per_token = {config.experts_per_token} of {config.experts} experts")


def run(config: RunConfig) -> None:
    """Raise if a run of these numbers cannot be trained."""
    types(config)
    for name, allowed in CHOICES.items():
        if getattr(config, name) not in allowed:
            raise ValueError(f"{name}={getattr(config, name)!r}: choose one of {', '.join(allowed)}")
    _ranges(config)
    if (config.recipe in ("two-stage", "continual", "peft")) != bool(config.parent):
        raise ValueError(
            f"recipe={config.recipe!r} with parent={config.parent!r}: give --base to start from one"
        )
    if config.recipe == "peft" and config.model.P == 1:
        raise ValueError("recipe='peft' at P = 1 has nothing to train: leave 1 out of --streams")
    if config.start == "quiet" and not (config.parent and config.model.P > 1):
        told = f"P = {config.model.P}, parent={config.parent!r}"
        raise ValueError(f"start='quiet' with {told}: no streams to grow")
    if config.batch % config.accumulate:
        raise ValueError(f"accumulate={config.accumulate} does not divide batch={config.batch}")


def _ranges(config: RunConfig) -> None:
    positive = ("steps", "batch", "seq_len", "accumulate", "evaluations", "eval_batch", "log_points")
    for name in (*positive, "seed", "eval_tokens", "start_step", "prefix_mlp"):
        value, least = getattr(config, name), int(name in positive)
        if value < least:
            raise ValueError(f"{name}={value!r}: must be a whole number of at least {least}")
    for name in ("warmup", "decay_share", "train_loss_share", "spike_share"):
        if not 0 <= getattr(config, name) <= 1:
            raise ValueError(f"{name}={getattr(config, name)!r}: must lie between 0 and 1")
    for name in ("lr", "muon_lr", "extras_lr", "clip", "spike"):
        if not getattr(config, name) > 0:
            raise ValueError(f"{name}={getattr(config, name)!r}: must be positive")
