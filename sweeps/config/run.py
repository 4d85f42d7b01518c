"""The configuration of a run: complete, frozen, documented. Nothing here imports torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from functools import cache

from sweeps.config.model import ModelConfig
from sweeps.config.validation import check_names, check_types

# Fields younger than trained runs, whose ids must not change with them.
LATER = {
    "prefix_std", "prefix_at_one", "prefix_mlp", "start", "aggregation_std", "loops", "loop_layers",
    "mup_base",
}  # fmt: skip
CARRIED_OUT = ("accumulate", "compile", "eval_batch", "log_points")  # how a run is trained, not what it is
CHOICES = {
    "optimizer": ("adamw", "muon"),
    "schedule": ("cosine", "linear", "wsd"),
    "recipe": ("scratch", "stage-1", "two-stage", "continual", "peft"),
    "precision": ("float32", "bf16"),
    "start": ("random", "quiet"),
}


@dataclass(frozen=True)
class RunConfig:
    """One training run, complete: two runs of equal `identity` are the same run.

    How the run is carried out is not part of it: `CARRIED_OUT` of the fields here, and devices, threads and
    checkpoint interval, which are in `Execution`. It may change when the run is resumed.
    """

    # What is trained, and what the run is called in the table.
    model: ModelConfig  # its shape
    sweep: str  # the grid it belongs to
    size: str  # the grid's name of the model size, e.g. 64x4 (width x layers)
    seed: int  # draws the backbone's initialisation and the data order, the same for every P

    # Data.
    corpus: str  # a name `sweeps.corpora.build` knows: stdlib, code, text, files:GLOB, hf:NAME, tokens:DIR, mix:W*NAME+...
    steps: int  # optimiser steps
    batch: int  # sequences a step
    seq_len: int  # tokens a sequence
    corpus_hash: str = ""  # hash of the token files' manifest. Filled in when the corpus is built
    tokenizer: str = (
        "bpe"  # bpe: learnt from the corpus, of tokens their own. or a tokenizer.json's path, or hf:NAME
    )
    repeat: bool = False  # True: more tokens than the corpus holds are read again, epoch after epoch

    # Optimisation.
    optimizer: str = "adamw"  # adamw, or muon: Muon on the matrices, AdamW on everything else
    lr: float = 3e-4  # peak learning rate of AdamW
    muon_lr: float = 0.02  # peak learning rate of the matrices under muon
    extras_lr: float = 1.0  # learning rate of ParScale's prefixes and aggregation, in units of lr
    beta1: float = 0.9  # of AdamW: decay of the mean of gradients
    beta2: float = 0.95  # of AdamW: decay of the mean of squared gradients
    eps: float = 1e-8  # of AdamW: added to the denominator
    weight_decay: float = 0.1  # on matrices only: never on biases, gains, embeddings or prefixes
    clip: float = 1.0  # gradient norm above which the gradient is scaled down
    schedule: str = "cosine"  # cosine, linear (to final_lr), wsd (flat, then linear over decay_share)
    warmup: float = 0.05  # share of the steps in which the learning rate rises linearly
    decay_share: float = 0.2  # wsd only: share of the steps, at the end, that anneal
    final_lr: float = 0.1  # learning rate at the last step, in units of the peak

    # Recipe.
    recipe: str = "scratch"  # scratch, stage-1, two-stage, continual, peft
    parent: str = ""  # run_id of stage 1 (two-stage) or folder of a checkpoint (continual, peft)
    parent_hash: str = ""  # of that folder's files. Filled in with corpus_hash
    start_step: int = 0  # steps of the data order, and of D, that stage 1 has used
    start: str = "random"  # streams grown onto a parent: random, or quiet (they begin at its loss)
    prefix_mlp: int = 0  # inner width of a network that prefixes are trained through. 0: none

    # Numerics.
    precision: str = "float32"  # float32, or bf16: bfloat16 autocast over float32 weights
    compile: bool = False  # torch.compile the model
    accumulate: int = 1  # micro-batches a step. Divides batch

    # What is written down.
    evaluations: int = 1  # passes over the validation set, evenly spaced, the last at the end
    eval_tokens: int = 0  # validation tokens an evaluation reads, evenly spread. 0: all
    eval_batch: int = 32  # sequences an evaluation batch. The standard error is over these batches
    log_points: int = 200  # points of the training curve, evenly spaced
    train_loss_share: float = 0.05  # train_loss is the mean over this share of the steps, at the end

    # When a run has diverged: NaN, or a mean loss this much above the best for a whole interval.
    spike: float = 1.0  # nats above the lowest smoothed training loss
    spike_share: float = 0.02  # share of the steps over which the loss is smoothed for this rule

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, naming the field."""
        _check(self)

    @property
    def batch_tokens(self) -> int:
        """Tokens an optimiser step sees."""
        return self.batch * self.seq_len

    @property
    def D(self) -> int:
        """Training tokens, those of stage 1 included. A downloaded checkpoint's own are not known."""
        return (self.start_step + self.steps) * self.batch_tokens

    @property
    def C(self) -> float:
        """Training FLOPs, ParScale's streams counted. Stage 1 ran at P = 1."""
        plain = replace(self.model, P=1)
        before = 3.0 * plain.forward_flops(self.seq_len) * (self.start_step * self.batch_tokens)
        return self.own_C + before

    @property
    def own_C(self) -> float:
        """Training FLOPs without those of stage 1, which another run spends."""
        return 3.0 * self.model.forward_flops(self.seq_len) * (self.steps * self.batch_tokens)

    @property
    def frozen(self) -> bool:
        """Whether nothing is trained: the row of a frozen backbone alone, next to those of its streams."""
        return self.recipe == "peft" and self.model.K == 0

    @property
    def identity(self) -> RunConfig:
        """The run as it would be carried out by default: equal for two configurations of the same run."""
        defaults = {field.name: field.default for field in fields(RunConfig)}
        return replace(self, **{name: defaults[name] for name in CARRIED_OUT})  # type: ignore[arg-type]

    def carried_out_as(self, other: RunConfig) -> RunConfig:
        """The same run, carried out as the other one is."""
        return replace(self, **{name: getattr(other, name) for name in CARRIED_OUT})

    def check_shared(self, ranks: int) -> None:
        """ValueError where so many devices cannot each take an equal part of every micro-batch."""
        if self.batch % (ranks * self.accumulate):
            own = self.batch // self.accumulate
            fit = ", ".join(str(n) for n in range(1, own + 1) if own % n == 0)
            split = f" in {self.accumulate} micro-batches" if self.accumulate > 1 else ""
            raise ValueError(
                f"batch={self.batch}{split} of {self.size} P={self.model.P} does not divide by {ranks} devices. "
                f"{fit} would do"
            )

    @property
    def run_id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the canonical JSON of every field.

        A sweep's folder keeps the one that a run was begun with, however it is carried out later.
        """
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, the model nested, no `LATER` field at its default."""
        values = asdict(self)
        for cls, kept in ((RunConfig, values), (ModelConfig, values["model"])):
            for field in fields(cls):
                if field.name in LATER and kept[field.name] == field.default:
                    del kept[field.name]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        """The inverse of `to_json`. Unknown or missing fields raise a ValueError that names them."""
        values = json.loads(text)
        if not isinstance(values, dict) or not isinstance(values.get("model"), dict):
            raise ValueError("not a run configuration: expected a JSON object with a `model` object")
        check_names(cls, values)
        return cls(**{**values, "model": _model_of(json.dumps(values["model"]))})


@cache
def _model_of(text: str) -> ModelConfig:
    """A model from its JSON, made once: the runs of a sweep have few."""
    values = json.loads(text)
    check_names(ModelConfig, values)
    return ModelConfig(**values)


def _check(config: RunConfig) -> None:
    """Raise if a run of these numbers cannot be trained."""
    check_types(config)
    for name, allowed in CHOICES.items():
        if getattr(config, name) not in allowed:
            raise ValueError(f"{name}={getattr(config, name)!r}: choose one of {', '.join(allowed)}")
    _ranges(config)
    if (config.recipe in ("two-stage", "continual", "peft")) != bool(config.parent):
        raise ValueError(
            f"recipe={config.recipe!r} with parent={config.parent!r}: give --base to start from one"
        )
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
