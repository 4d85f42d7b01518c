"""Configurations: complete, frozen, documented. Nothing here imports torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace

from scaling.accounting import Shape, forward_flops_per_token
from sweeps.config import validation

# Fields younger than trained runs, whose ids must not change with them.
LATER = {"prefix_std", "prefix_at_one", "prefix_mlp", "start", "aggregation_std"}
# What streams grown onto a backbone bring with them.
ADDED = ("P", "prefix_tokens", "smoothing", "prefix_std", "aggregation_std")


@dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes a model's mathematics (shape, ParScale's settings, initialisation)."""

    vocab: int  # rows of the embedding
    width: int  # h, the residual stream
    ffn: int  # f, inner width of the SwiGLU MLP
    layers: int
    heads: int  # query heads
    kv_heads: int  # key and value heads; divides heads
    P: int = 1  # parallel streams; 1 is a plain Qwen2 transformer
    prefix_tokens: int = 48  # learnable prefix positions a stream and layer (unused at P = 1)
    smoothing: float = 0.1  # epsilon: every stream keeps at least epsilon / P of the aggregation
    rope_base: float = 10_000.0
    head_dim: int | None = None  # None: width // heads
    tied_embeddings: bool = True
    norm_eps: float = 1e-6
    qkv_bias: bool = True
    qk_norm: bool = False  # Qwen3: RMSNorm with gain on queries and keys, a head at a time
    init_std: float = 0.02
    prefix_std: float | None = None  # of prefixes, so how far apart the streams begin; None: init_std
    aggregation_std: float | None = None  # of the aggregation's matrices; None: init_std
    prefix_at_one: bool = False  # P = 1 has a prefix too: the control that tells prefixes from streams
    context: int | None = None  # longest sequence the model is meant for; None: no limit
    experts: int = 0  # 0: dense MLP; else that many SwiGLU experts of inner width ffn in every layer
    experts_per_token: int = 2  # experts a token is sent to (unused when dense)
    balance_weight: float = 0.01  # weight of the load-balance loss in the gradient (unused when dense)

    def __post_init__(self) -> None:
        validation.model(self)

    @property
    def N(self) -> int:
        """Non-embedding parameters, ParScale's own, query-key norms and every expert included."""
        qk = 2 * self.shape.head_size * self.layers if self.qk_norm else 0
        mlp = 3 * self.width * self.ffn
        moe = self.layers * (mlp * (self.experts - 1) + self.width * self.experts) if self.experts else 0
        alone = 2 * self.K * self.kv_heads * self.shape.head_size * self.layers if self.P == 1 else 0
        return self.shape.N + qk + moe + alone

    @property
    def K(self) -> int:
        """Prefix tokens before each stream: none at P = 1 unless that is asked for."""
        return self.prefix_tokens if self.P > 1 or self.prefix_at_one else 0

    @property
    def active_N(self) -> int:
        """The part of N that one token uses: all of it when dense, the chosen experts of a mixture."""
        idle = self.experts - self.experts_per_token if self.experts else 0
        return self.N - self.layers * idle * 3 * self.width * self.ffn

    def forward_flops(self, seq_len: int) -> float:
        """FLOPs of one token's forward pass: the chosen experts and the router, and a prefix at P = 1."""
        chosen = replace(self.shape, ffn=self.ffn * (self.experts_per_token if self.experts else 1))
        keys = 4.0 * self.layers * self.heads * self.shape.head_size * (self.K if self.P == 1 else 0)
        router = 2.0 * self.P * self.layers * self.width * self.experts
        return forward_flops_per_token(chosen, seq_len) + keys + router

    @property
    def shape(self) -> Shape:
        """The integers `scaling.accounting` counts with; of a mixture, one expert's."""
        return Shape(**{field.name: getattr(self, field.name) for field in fields(Shape)})


@dataclass(frozen=True)
class RunConfig:
    """One training run, complete: two runs with equal configurations are the same run.

    How the run is carried out (devices, threads, checkpoint interval) is not part of it.
    """

    # What is trained, and what the run is called in the table.
    model: ModelConfig
    sweep: str  # the grid it belongs to
    size: str  # the grid's name of the model size, e.g. 64x4 (width x layers)
    seed: int  # draws the backbone's initialisation and the data order, the same for every P

    # Data.
    corpus: str  # a name `sweeps.corpora.build` knows: stdlib, code, code-large, text, text-debian, files:GLOB, hf:NAME
    steps: int  # optimiser steps
    batch: int  # sequences a step
    seq_len: int  # tokens a sequence
    corpus_hash: str = ""  # hash of the token files' manifest; filled in when the corpus is built
    tokenizer: str = "bpe"  # bpe: learnt from the corpus; a tokenizer.json's path; hf:NAME
    repeat: bool = False  # True: more tokens than the corpus holds are read again, epoch after epoch

    # Optimisation.
    optimizer: str = "adamw"  # adamw; muon: Muon on the matrices, AdamW on everything else
    lr: float = 3e-4  # peak learning rate of AdamW
    muon_lr: float = 0.02  # peak learning rate of the matrices under muon
    extras_lr: float = 1.0  # learning rate of ParScale's prefixes and aggregation, in units of lr
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    weight_decay: float = 0.1  # on matrices only: never on biases, gains, embeddings or prefixes
    clip: float = 1.0  # gradient norm above which the gradient is scaled down
    schedule: str = "cosine"  # cosine, linear (to final_lr), wsd (flat, then linear over decay_share)
    warmup: float = 0.05  # share of the steps in which the learning rate rises linearly
    decay_share: float = 0.2  # wsd only: share of the steps, at the end, that anneal
    final_lr: float = 0.1  # learning rate at the last step, in units of the peak

    # Recipe.
    recipe: str = "scratch"  # scratch, stage-1, two-stage, continual, peft
    parent: str = ""  # run_id of stage 1 (two-stage) or folder of a checkpoint (continual, peft)
    parent_hash: str = ""  # of that folder's files; filled in with corpus_hash
    start_step: int = 0  # steps of the data order, and of D, that stage 1 has used
    start: str = "random"  # streams grown onto a parent: random, or quiet (they begin at its loss)
    prefix_mlp: int = 0  # inner width of a network that prefixes are trained through; 0: none

    # Numerics.
    precision: str = "float32"  # float32; bf16: bfloat16 autocast over float32 weights
    compile: bool = False  # torch.compile the model
    accumulate: int = 1  # micro-batches a step; divides batch

    # What is written down.
    evaluations: int = 1  # passes over the held-out set, evenly spaced, the last at the end
    eval_tokens: int = 0  # held-out tokens an evaluation reads, evenly spread; 0: all
    eval_batch: int = 32  # sequences an evaluation batch; the standard error is over these batches
    log_points: int = 200  # points of the training curve, evenly spaced
    train_loss_share: float = 0.05  # train_loss is the mean over this share of the steps, at the end

    # When a run has diverged: NaN, or a mean loss this much above the best for a whole interval.
    spike: float = 1.0  # nats above the lowest smoothed training loss
    spike_share: float = 0.02  # share of the steps over which the loss is smoothed for this rule

    def __post_init__(self) -> None:
        """Refuse what cannot be trained, naming the field."""
        validation.run(self)

    @property
    def batch_tokens(self) -> int:
        """Tokens an optimiser step sees."""
        return self.batch * self.seq_len

    @property
    def D(self) -> int:
        """Training tokens, those of stage 1 included; a downloaded checkpoint's own are not known."""
        return (self.start_step + self.steps) * self.batch_tokens

    @property
    def C(self) -> float:
        """Training FLOPs, ParScale's streams counted; stage 1 ran at P = 1."""
        plain = replace(self.model, P=1)
        before = 3.0 * plain.forward_flops(self.seq_len) * (self.start_step * self.batch_tokens)
        return self.own_C + before

    @property
    def own_C(self) -> float:
        """Training FLOPs without those of stage 1, which another run spends."""
        return 3.0 * self.model.forward_flops(self.seq_len) * (self.steps * self.batch_tokens)

    @property
    def run_id(self) -> str:
        """The first 16 hex digits of the SHA-256 of the canonical JSON of every field."""
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
        """The inverse of `to_json`; unknown or missing fields raise a ValueError that names them."""
        values = json.loads(text)
        if not isinstance(values, dict) or not isinstance(values.get("model"), dict):
            raise ValueError("not a run configuration: expected a JSON object with a `model` object")
        validation.names(cls, values)
        validation.names(ModelConfig, values["model"])
        return cls(**{**values, "model": ModelConfig(**values["model"])})
