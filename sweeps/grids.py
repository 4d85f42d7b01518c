"""Grids: functions that return complete configurations. One dial, the size, decides the rest.

Each grid states its derivation rule; `--dry-run` prints it with what it gives for every run. Within
a grid, runs differ only in N, P and seed: tokens, batch, schedule and held-out set are the same.
"""

from __future__ import annotations

import inspect
import runpy
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from sweeps import recipes
from sweeps.axes import ALL, Axes
from sweeps.config import ModelConfig, RunConfig


@dataclass(frozen=True)
class Grid:
    """A named grid: its derivation rule in words, and the function from axes to configurations."""

    name: str
    rule: str
    make: Callable[[Axes], list[RunConfig]]

    def __call__(self, axes: Axes = ALL) -> list[RunConfig]:
        """Every configuration of the grid on `axes`, checked."""
        configs = recipes.apply(list(self.make(replace(axes, recipe=None))), axes)
        for index, config in enumerate(configs):
            if not isinstance(config, RunConfig):
                kind = type(config).__name__
                raise ValueError(f"grid {self.name}: item {index} is a {kind}, not a RunConfig")
        if not configs:
            raise ValueError(f"grid {self.name} has no run on these axes")
        return configs


Point = Callable[[str, int, str, int, Axes], RunConfig]  # (size, P, corpus, seed, filled axes) -> run


def product(default: Axes, point: Point) -> Callable[[Axes], list[RunConfig]]:
    """A grid's `make`: one run for every corpus, seed, size and P, the default's where not overridden."""

    def make(axes: Axes) -> list[RunConfig]:
        chosen = {f.name: getattr(axes, f.name) for f in fields(axes)}
        filled = replace(default, **{name: value for name, value in chosen.items() if value is not None})
        return [
            point(size, P, corpus, seed, filled)
            for corpus in _values("corpora", filled.corpora)
            for seed in _values("seeds", filled.seeds)
            for size in _values("sizes", filled.sizes)
            for P in _values("streams", filled.streams)
        ]

    return make


def _values(axis: str, values: Sequence[Any] | None) -> Sequence[Any]:
    if not values:
        raise ValueError(f"--{axis} is empty: give it at least one value")
    if len(set(values)) != len(values):
        raise ValueError(f"--{axis} repeats a value: {', '.join(map(str, values))}")
    return values


def parse_size(size: str) -> tuple[int, int]:
    """`64x4` -> (width 64, 4 layers)."""
    width, x, layers = size.partition("x")
    if not (x and width.isdigit() and layers.isdigit() and int(width) and int(layers)):
        raise ValueError(f"size {size!r}: write WIDTHxLAYERS, such as 64x4")
    return int(width), int(layers)


def small_model(size: str, P: int, vocab: int, head_dim: int, prefix_tokens: int) -> ModelConfig:
    """Heads of `head_dim`, two of them a KV head, an MLP of 8/3 h rounded up to a multiple of 16."""
    width, layers = parse_size(size)
    if width % (2 * head_dim):
        raise ValueError(
            f"size {size}: width {width} is not a multiple of {2 * head_dim} (two heads of {head_dim})"
        )
    heads = width // head_dim
    return ModelConfig(
        vocab=vocab,
        width=width,
        ffn=-(-width * 8 // 3 // 16) * 16,
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
    """How a small grid derives a run from its size and P; printed by `describe`."""

    vocab: int
    batch: int
    seq_len: int
    lr: float  # AdamW's peak at width 64
    muon_lr: float  # Muon's, likewise
    extras_lr: float = 0.3
    prefix_tokens: int = 4
    head_dim: int = 16
    settings: tuple[tuple[str, Any], ...] = ()  # further fields of RunConfig, the same for every run

    def describe(self) -> str:
        """The rule in one line."""
        more = "".join(f", {name}={value}" for name, value in self.settings)
        return (
            f"size WIDTHxLAYERS: heads of {self.head_dim}, two a KV head, MLP 8/3 width rounded up to 16s, "
            f"{self.prefix_tokens} prefix tokens; vocabulary {self.vocab}, "
            f"batch {self.batch} x {self.seq_len}, Muon on matrices at {self.muon_lr:g} sqrt(64/width), "
            f"AdamW on the rest at {self.lr:g} sqrt(64/width), "
            f"{self.extras_lr:g} of it for prefixes and aggregation{more}"
        )

    def run(self, sweep: str, size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
        """One complete configuration."""
        model = small_model(size, P, self.vocab, self.head_dim, self.prefix_tokens)
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
            lr=self.lr * (64 / model.width) ** 0.5,
            muon_lr=self.muon_lr * (64 / model.width) ** 0.5,
            extras_lr=self.extras_lr,
            repeat=bool(axes.repeat),
            **dict(self.settings),
        )


PAPER_SIZES = {  # width, ffn; arXiv 2505.10475: 36 layers, 16 heads, 2 KV heads at every size
    "0.5B": (896, 4864),
    "0.7B": (1024, 5504),
    "1.1B": (1280, 6912),
    "1.6B": (1536, 8320),
    "2.8B": (2048, 11008),
    "4.4B": (2560, 13824),
}


def paper_run(sweep: str, size: str, P: int, corpus: str, seed: int, axes: Axes) -> RunConfig:
    """One of the paper's runs: its shape exactly; learning rate and decay as summaries report them."""
    if size not in PAPER_SIZES:
        raise ValueError(f"unknown size {size!r}; choose among {', '.join(PAPER_SIZES)}")
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


CI = SmallRule(
    512, batch=8, seq_len=64, lr=8e-3, muon_lr=1e-2, settings=(("log_points", 20), ("eval_tokens", 50_000))
)
DEMO = SmallRule(1024, batch=8, seq_len=128, lr=8e-3, muon_lr=1e-2, settings=(("log_points", 50),))
LAPTOP = SmallRule(2048, batch=32, seq_len=256, lr=3e-3, muon_lr=1e-2)

PAPER_RULE = (
    "the paper's shapes: 36 layers, 16 heads, 2 KV heads, 48 prefix tokens; batch 1024 x 2048, 42B tokens, "
    "AdamW, 2K steps of warm-up to 3e-4, cosine to 1e-5, bf16; one learning rate for every size and P"
)


def _small(name: str, rule: SmallRule, sizes: Sequence[str], default: Axes) -> Grid:
    axes = replace(default, sizes=sizes)
    return Grid(name, rule.describe(), product(axes, partial(rule.run, name)))


GRIDS = {
    grid.name: grid
    for grid in (
        _small("ci", CI, ("32x1", "64x1"), Axes(None, (1, 2, 4), ("stdlib",), (0,), tokens=50_000)),
        _small("demo", DEMO, ("32x2", "64x2", "96x2"), Axes(None, (1, 2, 4), ("stdlib",), (0,), 400_000)),
        _small(
            "laptop",
            LAPTOP,
            ("32x4", "64x3", "64x6", "96x6", "128x6"),
            Axes(None, (1, 2, 4, 8), ("code",), (0, 1), 5_000_000),
        ),
        Grid(
            "paper",
            PAPER_RULE,
            product(
                Axes(tuple(PAPER_SIZES), (1, 2, 4, 8), ("stack-v2-python", "pile"), (0,), 42_000_000_000),
                partial(paper_run, "paper"),
            ),
        ),
    )
}


def find(name: str) -> Grid:
    """The named grid, or the `grid` a user's Python file defines: FILE.py or FILE.py:NAME."""
    if name in GRIDS:
        return GRIDS[name]
    path, colon, attribute = name.rpartition(":")
    if not colon:
        path, attribute = name, "grid"
    if not path.endswith(".py"):
        raise ValueError(f"unknown grid {name!r}; choose {', '.join(GRIDS)}, or name a file: FILE.py[:NAME]")
    return _from_file(Path(path), attribute)


def _from_file(path: Path, attribute: str) -> Grid:
    """Run the user's own grid file; a fault in it is named with file and line."""
    if not path.is_file():
        raise ValueError(f"grid file {path} does not exist")
    try:
        space = runpy.run_path(str(path), run_name=path.stem)
    except SyntaxError as error:
        raise ValueError(f"{path}:{error.lineno}: {error.msg}") from None
    except Exception as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        raise ValueError(f"{path}:{lines[-1] if lines else 1}: {type(error).__name__}: {error}") from None
    found = space.get(attribute)
    if isinstance(found, Grid):
        return found
    if not callable(found):
        raise ValueError(f"{path} defines no Grid and no function of Axes named `{attribute}`")
    return Grid(path.stem, inspect.getdoc(found) or f"defined in {path}", found)
