"""Fields of a configuration as axes of a sweep: how their values are written, and which ones runs differ in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

from sweeps.config.model import ModelConfig
from sweeps.config.run import CARRIED_OUT, RunConfig

OPTIONS = {"size": "sizes", "P": "streams", "corpus": "corpora", "seed": "seeds", "steps": "tokens"}
OPTIONS |= {name: name for name in ("recipe", "start", "precision", "tokenizer", "repeat", "loops")}
FILLED_IN = ("model", "vocab", "sweep", "corpus_hash", "parent", "parent_hash", "start_step")
POINT = ("recipe", "corpus", "size", "seed")  # and P: by which a grid's own axes differ
OF_RUN = {field.name: field for field in fields(RunConfig)}
OF_MODEL = {field.name: field for field in fields(ModelConfig)}


def value_of(run: RunConfig, name: str) -> Any:
    """A field's value, of the run or of its model."""
    return getattr(run if name in OF_RUN else run.model, name)


def with_value(run: RunConfig, name: str, value: Any) -> RunConfig:
    """The run with another value of a field. Another batch or length of sequence keeps D."""
    if name in OF_MODEL:
        return replace(run, model=replace(run.model, **{name: value}))
    new = replace(run, **{name: value})
    return replace(new, steps=max(1, round(run.steps * run.batch_tokens / new.batch_tokens)))


def read_axis(text: str) -> tuple[str, list[Any]]:
    """("lr", [0.001, 0.003]) from "lr=1e-3,3e-3". ValueError for what is no field, or no axis."""
    name, equals, values = (part.strip() for part in text.partition("="))
    if not (equals and values):
        raise ValueError(f"--axis {text}: write FIELD=VALUE,..., such as lr=1e-3,3e-3")
    check_field(name, "--axis")
    read = [_read(name, value.strip()) for value in values.split(",")]
    if len(set(read)) < len(read):
        raise ValueError(f"--axis {text}: a value is given twice")
    return name, read


def check_field(name: str, option: str) -> None:
    """Refuse, on behalf of an option, what is no field or can be no axis."""
    if name in OPTIONS:
        raise ValueError(f"{option} {name}: --{OPTIONS[name]} is its option")
    if name in CARRIED_OUT:
        raise ValueError(f"{option} {name}: it tells how a run is carried out, not what it is")
    if name in FILLED_IN or name not in OF_RUN | OF_MODEL:
        known = ", ".join(sorted(set(OF_RUN | OF_MODEL) - {*OPTIONS, *CARRIED_OUT, *FILLED_IN}))
        raise ValueError(f"{option} {name}: no field of a run that can be an axis. Choose among {known}")


def _read(name: str, text: str) -> Any:
    """A value of the type that its field is declared with."""
    kind, *rest = str((OF_RUN | OF_MODEL)[name].type).split(" | ")
    if rest and text.lower() == "none":
        return None
    try:
        if kind == "bool":
            return {"true": True, "false": False}[text.lower()]
        return {"int": int, "float": float, "str": str}[kind](text)
    except (KeyError, ValueError):
        wanted = {"int": "whole numbers", "float": "numbers", "bool": "true or false"}[kind]
        raise ValueError(f"--axis {name}={text}: give {wanted}") from None


def point_of(run: RunConfig) -> tuple[object, ...]:
    """The place of a run in a grid, by the axes that every grid has."""
    return (*(getattr(run, name) for name in POINT), run.model.P)


def searched_fields(runs: Iterable[RunConfig]) -> list[str]:
    """The fields in which runs of one point differ, other than their tokens and how they are carried out."""
    first: dict[tuple[object, ...], RunConfig] = {}
    found: set[str] = set()
    apart = {*CARRIED_OUT, *FILLED_IN, *OPTIONS, *POINT}
    names = [name for name in {**OF_RUN, **OF_MODEL} if name not in apart]
    for run in runs:
        other = first.setdefault((*point_of(run), run.start_step), run)
        if other is not run and other != run:
            found |= {name for name in names if value_of(run, name) != value_of(other, name)}
    return [name for name in names if name in found]


def at(run: RunConfig, names: Sequence[str]) -> str:
    """The place of a run on such axes, in words: "lr 0.003"."""
    return ", ".join(f"{name} {value_of(run, name)}" for name in names)
