"""How a run ended, as its launcher or logger says it: which rows are finished runs.

Words of this project, Weights & Biases, MLflow, Slurm, Ray, Optuna, Kubernetes, ClearML and Comet, and columns of
yes or no such as crashed and finished.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scaling.data.columns.column_names import spelled

OK = "ok"
FINISHED = spelled(
    "ok okay finished finish complete completed done success successful succeeded succeed trained passed "
    "terminated published cd"
) | {"completed successfully", "finished successfully", "finished training", "training finished", "all done"}
OF_RAY = "terminated"  # finished by Ray Tune, ended from outside by others
ENDED = spelled(
    "abort aborted active bad broken cancelled canceled cancelling canceling crash crashed created dead "
    "deadline diverged divergent divergence dropped early error errored evicted excluded exploded fail "
    "failed failing failure hung inactive incomplete initializing inprogress interrupted invalid kill "
    "killed killing lost nan oom oomkilled paused pending preempted preempting pruned queued requeued "
    "revoked running scheduled skipped spiked stalled started starting stopped stopping stuck submitted "
    "suspended timeout timedout unfinished unknown unstable waiting"
) | {"boot fail", "early stopped", "in progress", "node fail", "not started", "not finished", "out of memory",
     "out of me", "time out", "timed out", "still running", "launch failed", "special exit"}  # fmt: skip
ALONE = spelled("aborted cancelled canceled crashed diverged error failed killed oom preempted timeout")
SLURM_CODES = spelled("bf ca cd cf cg dl f nf oom pd pr r rd rf rh rq rs s se si so st to")
MANY_WORDS = 1_000  # most different states of a column
_STATE = ("status", "state")  # how the name of such a column ends
_MAY_BE_NUMBERS = spelled("state status runstate runstatus jobstate jobstatus trialstate trialstatus")
_YES_IS_BAD = spelled(
    "crashed failed diverged killed nan oom aborted preempted unstable excluded exclude timedout timeout "
    "interrupted pruned incomplete broken"
)
_YES_IS_GOOD = spelled(
    "finished completed complete done ok success succeeded successful usable valid include keep"
)
_CODES = {"exitcode", "returncode", "rc", "exitstatus"}
_YES, _NO = {"true", "yes", "y", "1", "1.0", "t"}, {"false", "no", "n", "0", "0.0", "f"}


def canonical(word: object) -> str:
    """A word of state in one spelling: "TrialState.COMPLETE" and "complete" are one, as "CANCELLED+" is cut."""
    text = str(word).strip().casefold()
    text = re.sub(r"^(?:trialstate|runstatus|jobstatus|status|state)\.", "", text).rstrip("+")
    return re.sub(r"[\s_-]+", " ", text).strip()


def is_finished(word: object) -> bool:
    """Whether a word means that a run finished."""
    return canonical(word) in FINISHED


def is_known(word: object) -> bool:
    """Whether a word is one of state: also "failed: CUDA error" and "CANCELLED by 1001"."""
    text = canonical(word)
    return text in FINISHED or text in ENDED or re.split(r"[\s:(,]", text)[0] in ENDED


class States(NamedTuple):
    """How the runs of a table ended."""

    keep: Any  # which rows are finished runs, (n,) bool
    why: Any  # the word that excludes each row, (n,), "" for finished runs
    names: tuple[str, ...]  # the columns of states


def states_of(table: Mapping[str, Any] | pd.DataFrame, rows: int) -> States:
    """How the runs of a table of `rows` rows ended, by `status` and every other column of states.

    An empty cell means an unfinished run, except in a yes/no column, where it means nothing.
    """
    keep: Any = np.ones(rows, dtype=bool)
    why = np.broadcast_to(np.array("", dtype=object), rows)
    names: list[str] = []
    for name in [one for one in table if isinstance(one, str)]:
        good = _finished(name, table[name]) if _kind(name) else None
        if good is None:
            continue
        names.append(name)
        new = keep & ~good
        if new.any():
            why = np.array(why)
            why[new] = [_reason(name, value) for value in np.asarray(table[name], dtype=object)[new]]
            keep = keep & good
    return States(keep, why, tuple(names))


@lru_cache(maxsize=4096)
def _kind(name: str) -> str:
    """What a column holds by its name: words of state, yes for a bad or a good run, codes. "" for another."""
    squashed = re.sub(r"[^a-z]", "", re.split(r"[./:]", name.casefold())[-1])
    bare = re.sub(r"^(?:is|has|was|run|did)", "", squashed)
    if squashed in _CODES:
        return "codes"
    if bare in _YES_IS_BAD or bare in _YES_IS_GOOD:
        return "bad" if bare in _YES_IS_BAD else "good"
    return "words" if squashed.endswith(_STATE) or squashed == "outcome" else ""


def _finished(name: str, column: Any) -> Any:
    """Which rows are finished runs by a column, (n,) bool. None if it is not a column of states."""
    if name == "status" and _all_ok(column):
        return np.ones(len(column), dtype=bool)
    codes, found = pd.factorize(column if isinstance(column, pd.Series) else np.asarray(column, dtype=object))
    words = [str(word).strip() for word in found]
    kind, empty = _kind(name), False
    if kind == "words":
        good = _of_words([canonical(word) for word in words], own=name == "status")
    elif kind == "codes":
        good = [word in ("0", "0.0", "0:0") for word in words]
        good = good if all(re.fullmatch(r"-?\d+(\.0)?(:\d+)?", word) for word in words) else None
    else:
        plain = [word.casefold() for word in words]
        bad = _NO if kind == "good" else _YES
        good = [word not in bad for word in plain] if plain and {*plain} <= _YES | _NO else None
        empty = True
    return None if good is None else np.array([*good, empty], dtype=bool)[codes]  # an empty cell has code -1


def _all_ok(column: Any) -> bool:
    """Whether every run is "ok". This usual case takes a tenth of the time."""
    return isinstance(column, pd.Series) and not column.isna().any() and bool((column == OK).all())


def _of_words(words: list[str], *, own: bool) -> list[bool] | None:
    """Which words mean a finished run. None if they are not words of state, unless the column is `own`."""
    said = {word for word in words if word}
    if not own and not (said <= SLURM_CODES and "cd" in said):
        plain = said - (SLURM_CODES - {"oom"})
        known = bool(plain & (FINISHED | ALONE)) or (bool(plain) and all(map(is_known, plain)))
        if len(said) > MANY_WORDS or not known:
            return None
    others = (said & FINISHED) - {OF_RAY}
    return [word in FINISHED and not (word == OF_RAY and others) for word in words]


def unread_states(table: Any) -> list[tuple[str, list[str]]]:
    """Columns named state or status that hold a few numbers, with these, whose meaning is unknown."""
    found = []
    for name in map(str, table):
        squashed = re.sub(r"[^a-z]", "", re.split(r"[./:]", name.casefold())[-1])
        if name != "status" and squashed in _MAY_BE_NUMBERS:
            words = [str(value) for value in table[name].dropna().unique()[:11]]
            if 1 < len(words) <= 10 and all(re.fullmatch(r"[\d.:-]+", word) for word in words):
                found.append((name, words))
    return found


def _reason(name: str, value: Any) -> str:
    """The word that leaves a row out. For yes/no columns and codes, the column's name as well."""
    text = "" if value is None or value is pd.NA or value != value else str(value).strip()
    if not text:
        return f"no {name}"
    plain = text.casefold() in _YES | _NO or not re.search("[A-Za-z]", text)
    return f"{name} {text}" if plain else text
