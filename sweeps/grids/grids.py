"""Grids: functions that return complete configurations. One dial, the size, decides the rest.

Each grid states its derivation rule. `--dry-run` prints it with what it gives for every run. Within
a grid, runs differ only in N, P and seed: tokens, batch, schedule and validation set are the same.
"""

from __future__ import annotations

import inspect
import os
import runpy  # noqa: TID251 (a grid file is code)
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from sweeps.config.run import RunConfig
from sweeps.config.searched_fields import with_value
from sweeps.corpora import tokens
from sweeps.corpora.sources import huggingface
from sweeps.corpora.sources.registry import own_vocabulary
from sweeps.grids import recipes
from sweeps.grids.axes import ALL, Axes
from sweeps.grids.scaling_rules import PAPER_SIZES, SmallRule, looped, paper_run, split_loops


@dataclass(frozen=True)
class Grid:
    """A named grid. Called with `Axes`, it gives its configurations, checked.

    Args:
        name: of the grid.
        rule: how its configurations are derived, in words.
        make: from axes to configurations.
    """

    name: str
    rule: str
    make: Callable[[Axes], list[RunConfig]]

    def __call__(self, axes: Axes = ALL) -> list[RunConfig]:
        """Every configuration of the grid on `axes`, checked."""
        made = list(self.make(replace(axes, recipe=None, others=None)))
        self._check(made)
        self._heeds(made, axes)
        if axes.mup_base:
            made = _of_base_width(made, axes)
        if axes.precision:
            made = [replace(config, precision=axes.precision) for config in made]
        if axes.tokenizer and not axes.base:
            made = _tokenized(made, axes.tokenizer)
        elif not axes.base:
            made = _with_own_vocabulary(made)
        for name, values in (axes.others or {}).items():
            made = [with_value(config, name, value) for config in made for value in values]
        configs = recipes.apply(made, axes)
        if axes.tokenizer and axes.base:  # the base's vocabulary counts, whatever tokenizer is next to it
            configs = [replace(config, tokenizer=axes.tokenizer) for config in configs]
        return configs

    def _check(self, made: list[RunConfig]) -> None:
        """What a user's function returns is runs, each once."""
        for index, config in enumerate(made):
            if not isinstance(config, RunConfig):
                kind = type(config).__name__
                raise ValueError(f"grid {self.name}: item {index} is a {kind}, not a RunConfig")
        if len({config.run_id for config in made}) < len(made):
            raise ValueError(f"grid {self.name} has one run several times")
        if not made:
            raise ValueError(f"grid {self.name} has no run on these axes")

    def _heeds(self, made: list[RunConfig], axes: Axes) -> None:
        """A user's function may pass over an axis: then what was asked for is not what would be trained."""
        got: dict[str, set[Any]] = {
            "sizes": {split_loops(config.size)[0] for config in made},
            "loops": {config.model.loops for config in made},
            "streams": {config.model.P for config in made},
            "corpora": {config.corpus for config in made},
            "seeds": {config.seed for config in made},
        }
        asked = {name: set(values) for name in got if (values := getattr(axes, name))}
        if axes.sizes:
            asked["sizes"] = {split_loops(size)[0] for size in axes.sizes}
        for axis, found in got.items():
            if strange := found - asked.get(axis, found):
                told = ", ".join(sorted(map(str, strange)))
                raise ValueError(f"grid {self.name} does not use --{axis}: it has {told} all the same")
        if axes.tokens and any(abs(config.D - axes.tokens) > config.batch_tokens for config in made):
            raise ValueError(f"grid {self.name} does not use --tokens {axes.tokens:,}")


def _of_base_width(configs: list[RunConfig], axes: Axes) -> list[RunConfig]:
    """The configurations with the learning rates and initialisation of one width, scaled to their own."""
    if axes.base:
        raise ValueError(
            f"--mup-base {axes.mup_base}: runs that start from --base have their initialisation already"
        )
    sizes = {config.model.head_size for config in configs}
    if len(sizes) > 1:
        told = ", ".join(map(str, sorted(sizes)))
        raise ValueError(
            f"--mup-base {axes.mup_base}: heads must have one size at every width, here they have {told}"
        )
    return [with_value(config, "mup_base", axes.mup_base) for config in configs]


def _tokenized(configs: list[RunConfig], tokenizer: str) -> list[RunConfig]:
    """The configurations with another tokenizer, and as many rows of the embedding as it has entries."""
    other = [config for config in configs if getattr(config, "tokenizer", tokenizer) != tokenizer]
    vocab = tokens.entries(huggingface.tokenizer_file(tokenizer)) if other and tokenizer != "bpe" else None

    def changed(config: RunConfig) -> RunConfig:
        model = replace(config.model, vocab=vocab or config.model.vocab)
        return replace(config, tokenizer=tokenizer, model=model)

    return [changed(config) if config in other else config for config in configs]


def _with_own_vocabulary(configs: list[RunConfig]) -> list[RunConfig]:
    """The configurations, as many rows in the embedding as the tokens have that a run's corpus is made of."""
    own = {name: size for name in {c.corpus for c in configs} if (size := own_vocabulary(name))}

    def changed(config: RunConfig) -> RunConfig:
        vocab = own.get(config.corpus, config.model.vocab)
        return replace(config, model=replace(config.model, vocab=vocab))

    return [changed(config) for config in configs]


Point = Callable[[str, int, str, int, Axes], RunConfig]  # (size, P, corpus, seed, filled axes) -> run


def product(default: Axes, point: Point) -> Callable[[Axes], list[RunConfig]]:
    """A grid's `make`: one run for every corpus, seed, size and P, the default's where not overridden."""

    def make(axes: Axes) -> list[RunConfig]:
        chosen = {f.name: getattr(axes, f.name) for f in fields(axes)}
        filled = replace(default, **{name: value for name, value in chosen.items() if value is not None})
        return [
            looped(point(size, P, corpus, seed, filled), r)
            for corpus in _values("corpora", filled.corpora)
            for seed in _values("seeds", filled.seeds)
            for size, r in _looped_sizes(filled)
            for P in _values("streams", filled.streams)
        ]

    return make


def _looped_sizes(axes: Axes) -> list[tuple[str, int]]:
    """Every size with every number of loops. A size that names its own has that one."""
    sizes = [split_loops(size) for size in _values("sizes", axes.sizes)]
    if axes.loops is None:
        return sizes
    named = [f"{size}r{r}" for size, r in sizes if r > 1]
    if named:
        raise ValueError(f"size {named[0]} names its loops already: leave --loops out, or the name's end")
    if min(axes.loops, default=1) < 1:
        raise ValueError(f"--loops {min(axes.loops)}: a layer is applied at least once, which is r = 1")
    return [(size, r) for size, _ in sizes for r in _values("loops", axes.loops)]


def _values(axis: str, values: Sequence[Any] | None) -> Sequence[Any]:
    if not values:
        raise ValueError(f"--{axis} is empty: give it at least one value")
    if len(set(values)) != len(values):
        raise ValueError(f"--{axis} repeats a value: {', '.join(map(str, values))}")
    return values


CI = SmallRule(
    512, batch=8, seq_len=64, lr=8e-3, muon_lr=1e-2, settings=(("log_points", 20), ("eval_tokens", 50_000))
)
DEMO = SmallRule(1024, batch=8, seq_len=128, lr=8e-3, muon_lr=1e-2, settings=(("log_points", 50),))
LAPTOP_SETTINGS = {"compile": True, "eval_tokens": 1_000_000, "schedule": "linear", "final_lr": 0.0}
LAPTOP = SmallRule(  # chosen by the search of results/grids/recipe.py, before any run of the grid
    2048,
    batch=8,
    seq_len=256,
    lr=0.04,
    muon_lr=1e-2,
    lr_power=0.0,
    settings=tuple(LAPTOP_SETTINGS.items()),
)

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
            ("32x2", "32x4", "64x3", "64x5", "96x4"),
            Axes(None, (1, 2, 4, 8), ("code",), (0, 1), 4_000_000),
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
    """A grid by name, or from your own Python file.

    Args:
        name: ci, demo, laptop, paper, or FILE.py[:NAME], a file that defines a `Grid` or a function of `Axes` named `grid`
            or NAME.

    Returns:
        The grid.

    Raises:
        ValueError: for an unknown name, a missing file, and a fault in the file, which is named with its line.

    Examples:
        >>> from sweeps import grids
        >>> runs = grids.find("ci")(grids.Axes(streams=(1, 4)))
        >>> [(run.size, run.model.P) for run in runs]
        [('32x1', 1), ('32x1', 4), ('64x1', 1), ('64x1', 4)]
    """
    if name in GRIDS:
        return GRIDS[name]
    path, colon, attribute = name.rpartition(":")
    if not colon:
        path, attribute = name, "grid"
    if not path.endswith(".py"):
        raise ValueError(f"unknown grid {name!r}. Choose {', '.join(GRIDS)}, or name a file: FILE.py[:NAME]")
    return _from_file(Path(path), attribute)


def _from_file(path: Path, attribute: str) -> Grid:
    """Run the user's own grid file. A fault in it is named with file and line."""
    if not path.is_file():
        raise ValueError(f"grid file {path} does not exist")
    try:
        with _beside(path):
            space = runpy.run_path(str(path), run_name=path.stem)
    except SyntaxError as error:  # its own, or a neighbour's
        raise ValueError(f"{error.filename or path}:{error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        raise _blame(path, error, 1) from None
    found = space.get(attribute)
    if isinstance(found, Grid):
        return replace(found, make=_guarded(path, found.make))
    if not callable(found):
        raise ValueError(f"{path} defines no Grid and no function of Axes named `{attribute}`")
    return Grid(path.stem, inspect.getdoc(found) or f"defined in {path}", _guarded(path, found))


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let a file import its neighbours, as a script does, and forget them: another folder's have the same names."""
    folder, before = str(path.resolve().parent), set(sys.modules)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        new = [name for name in sys.modules if name.partition(".")[0] not in before]
        for name in new:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(folder + os.sep):
                del sys.modules[name]


def _guarded(path: Path, make: Callable[[Axes], list[RunConfig]]) -> Callable[[Axes], list[RunConfig]]:
    """The user's function, its faults named with file and line."""

    def made(axes: Axes) -> list[RunConfig]:
        try:
            with _beside(path):
                return list(make(axes))
        except (Exception, SystemExit) as error:
            raise _blame(path, error, getattr(getattr(make, "__code__", None), "co_firstlineno", 1)) from None

    return made


def _blame(path: Path, error: BaseException, default: int) -> ValueError:
    """The error with the last line of the user's file that led to it."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return ValueError(f"{path}:{lines[-1] if lines else default}: {words}")
