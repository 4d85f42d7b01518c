"""The axes of a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Axes:
    """The axes of a grid that a call sets. None leaves the grid's own choice."""

    sizes: Sequence[str] | None = None  # WIDTHxLAYERS, or a size the grid names
    streams: Sequence[int] | None = None  # P
    corpora: Sequence[str] | None = None  # names that `sweeps.corpora.open_corpus` knows
    seeds: Sequence[int] | None = None  # random seeds
    tokens: int | None = None  # training tokens a run
    recipe: str | None = None  # scratch, two-stage, continual or peft
    base: str | None = None  # checkpoint folder that continual and peft start from
    stage2_share: float | None = None  # two-stage: share of the tokens spent on stage 2. 2% if not given
    start: str | None = None  # two-stage, continual, peft: random or quiet, how grown streams begin
    precision: str | None = None  # float32 or bf16
    tokenizer: str | None = (
        None  # bpe, a tokenizer.json, or hf:NAME. Models that start from scratch take its size
    )
    others: Mapping[str, Sequence[Any]] | None = None  # {field of a run or its model: values}
    repeat: bool | None = None  # read a corpus again when it holds fewer tokens
    loops: Sequence[int] | None = None  # r. Where it is above 1 a size's name says so: 64x4r2
    mup_base: int | None = (
        None  # width that learning rates and initialisation are of (sweeps.model.width_transfer)
    )


ALL = Axes()  # a grid as it is
