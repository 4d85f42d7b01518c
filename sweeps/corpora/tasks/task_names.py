"""Tasks by name: `task:hops#hops=1,2,4#nodes=8#steps=2#loss=all`."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sweeps.corpora.tasks.arithmetic import Arithmetic
from sweeps.corpora.tasks.facts import Facts
from sweeps.corpora.tasks.hops import Hops
from sweeps.corpora.tasks.induction import Copy
from sweeps.corpora.tasks.items import Task

TASK = "task:"
TASKS: dict[str, type[Any]] = {kind.name: kind for kind in (Facts, Hops, Arithmetic, Copy)}
LOSSES = ("answer", "all")  # what of an item is learnt: the completion alone, or the prompt too


def task_of(corpus: str) -> tuple[Task, bool]:
    """The task that a corpus name means, and whether its prompts are learnt too."""
    name, *items = corpus.removeprefix(TASK).split("#")
    if name not in TASKS:
        raise ValueError(f"corpus {corpus}: no task {name!r}. Choose one of {', '.join(TASKS)}")
    known = {field.name: str(field.type) for field in fields(TASKS[name])}
    given: dict[str, Any] = {}
    loss = LOSSES[0]
    for item in items:
        key, _, value = item.partition("=")
        if key == "loss" and value in LOSSES:
            loss = value
        elif key in known and all(part.isdecimal() for part in value.split(",")):
            several = tuple(dict.fromkeys(int(part) for part in value.split(",")))
            given[key] = several if "tuple" in known[key] else several[0]
            if "tuple" not in known[key] and len(several) > 1:
                raise ValueError(f"corpus {corpus}: #{item}: {key} is one whole number")
        else:
            takes = ", ".join(f"#{key}=" for key in known)
            raise ValueError(
                f"corpus {corpus}: #{item} cannot be read. {name} takes whole numbers {takes} and #loss=answer or all"
            )
    return TASKS[name](**given), loss == "all"
