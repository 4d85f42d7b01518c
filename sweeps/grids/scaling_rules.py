"""How a grid derives a run from its size and P: one rule for the small grids, the paper's for its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from sweeps.config.model import ModelConfig
from sweeps.config.run import RunConfig
from sweeps.grids.axes import Axes


def parse_width_layers(size: str) -> tuple[int, int, int]:
    """`64x4` -> (width 64, 4 layers, dense: 0 experts). `64x4e8` -> the same with 8 experts."""
    found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)(?:e([1-9]\d*))?", size)
    if not found:
        raise ValueError(f"size {size!r}: write WIDTHxLAYERS, such as 64x4, or 64x4e8 for 8 experts")
    if found[3] == "1":
        raise ValueError(f"size {size!r}: one expert leaves the router no choice. Write {size[:-2]}, dense")
    return int(found[1]), int(found[2]), int(found[3] or 0)


def split_loops(size: str) -> tuple[str, int]:
    """`64x4r2` -> (`64x4`, 2): a size without its loops, and how many they are. 1 where it says none."""
    found = re.fullmatch(r"(.*[\dBM])r(\d+)", size)
    if not found:
        return size, 1
    if int(found[2]) < 1:
        raise ValueError(f"size {size!r}: r = 0, but a layer is applied at least once")
    return found[1], int(found[2])


def looped(run: RunConfig, loops: int) -> RunConfig:
    """The run with its inner layers looped, under a size of its own: 64x4r2."""
    if loops == 1:
        return run
    return replace(run, size=f"{run.size}r{loops}", model=replace(run.model, loops=loops))


def small_model(size: str, P: int, vocab: int, head_dim: int, prefix_tokens: int) -> ModelConfig:
    """Heads of `head_dim`, two of them a KV head, an MLP of 8/3 h rounded up to a multiple of 16.

    A mixture's experts have half that width, and a token two of them: as many active parameters as the
    dense model of the size, but for the router.
    """
    width, layers, experts = parse_width_layers(size)
    if width % (2 * head_dim):
        raise ValueError(
            f"size {size}: width {width} is not a multiple of {2 * head_dim} (two heads of {head_dim})"
        )
    heads, ffn = width // head_dim, -(-width * 8 // 3 // 16) * 16
    return ModelConfig(
        vocab=vocab,
        width=width,
        ffn=ffn // 2 if experts else ffn,
        experts=experts,
        layers=layers,
        heads=heads,
        kv_heads=heads // 2,
        P=P,
        prefix_tokens=prefix_tokens,
    )


def steps_for(tokens: int, batch: int, seq_len: int) -> int:
    """Whole steps nearest to `tokens`, at least one."""
    return max(1, round(tokens / (batch * seq_len)))


@dataclass(frozen=True)
class SmallRule:
    """How a small grid derives a run from its size and P. Printed by `describe`."""

    vocab: int
    batch: int
    seq_len: int
    lr: float  # AdamW's peak at width 64
    muon_lr: float  # Muon's. It falls with the root of the width
    lr_power: float = 0.5  # AdamW's falls with this power of the width. 0, as in maximal update: not at all
    extras_lr: float = 0.3
    prefix_tokens: int = 4
    prefix_std: float | None = None  # None: as the other weights
    head_dim: int = 16
    settings: tuple[tuple[str, Any], ...] = ()  # further fields of RunConfig, the same for every run

    def describe(self) -> str:
        """The rule in one line."""
        more = "".join(f", {name}={value}" for name, value in self.settings)
        falls = {0.0: "", 0.5: " sqrt(64/width)"}.get(self.lr_power, f" (64/width)^{self.lr_power:g}")
        apart = "" if self.prefix_std is None else f" of std {self.prefix_std:g}"
        return (
            f"size WIDTHxLAYERS: heads of {self.head_dim}, two a KV head, MLP 8/3 width rounded up to 16s, "
            f"{self.prefix_tokens} prefix tokens{apart}; vocabulary {self.vocab}, "
            f"batch {self.batch} x {self.seq_len}, Muon on matrices at {self.muon_lr:g} sqrt(64/width), "
            f"AdamW on the rest at {self.lr:g}{falls}, "
            f"{self.extras_lr:g} of it for prefixes and aggregation{more}"
        )

    def run(self, sweep: str, size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
        """One complete configuration."""
        model = small_model(size, P, self.vocab, self.head_dim, self.prefix_tokens)
        model = replace(model, prefix_std=self.prefix_std)
        width = axes.mup_base or model.width  # muP takes the base's rates to the model's width
        return RunConfig(
            model=model,
            sweep=sweep,
            size=size,
            seed=seed,
            corpus=corpus,
            steps=steps_for(axes.tokens or 0, self.batch, self.seq_len),
            batch=self.batch,
            seq_len=self.seq_len,
            optimizer="muon",
            lr=self.lr * (64 / width) ** self.lr_power,
            muon_lr=self.muon_lr * (64 / width) ** 0.5,
            extras_lr=self.extras_lr,
            repeat=bool(axes.repeat),
            **dict(self.settings),
        )


PAPER_SIZES = {  # width, ffn (arXiv 2505.10475), 36 layers, 16 heads, 2 KV heads at every size
    "0.5B": (896, 4864),
    "0.7B": (1024, 5504),
    "1.1B": (1280, 6912),
    "1.6B": (1536, 8320),
    "2.8B": (2048, 11008),
    "4.4B": (2560, 13824),
}


def paper_run(sweep: str, size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
    """One of the paper's runs: its shape exactly. Learning rate and decay as summaries report them."""
    if size not in PAPER_SIZES:
        raise ValueError(f"unknown size {size!r}. Choose among {', '.join(PAPER_SIZES)}")
    width, ffn = PAPER_SIZES[size]
    steps = steps_for(axes.tokens or 0, 1024, 2048)
    return RunConfig(
        model=ModelConfig(vocab=151_936, width=width, ffn=ffn, layers=36, heads=16, kv_heads=2, P=P),
        sweep=sweep,
        size=size,
        seed=seed,
        corpus=corpus,
        tokenizer="hf:Qwen/Qwen2.5-0.5B",
        steps=steps,
        batch=1024,
        seq_len=2048,
        lr=3e-4,
        warmup=min(0.5, 2000 / steps),
        final_lr=1 / 30,
        precision="bf16",
        repeat=bool(axes.repeat),
    )
