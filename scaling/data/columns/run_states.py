"""How a run ended, as its launcher or logger says it: which rows are finished runs.

Words of this project, Weights & Biases, MLflow, Slurm, Ray, Optuna, Kubernetes, ClearML and Comet, and columns of
yes or no such as crashed and finished.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

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
_STATE = ("status", "state")  # how the name of such a column ends
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
    """Whether a word says that a run finished."""
    return canonical(word) in FINISHED


def is_known(word: object) -> bool:
    """Whether a word is one of state: also "failed: CUDA error" and "CANCELLED by 1001"."""
    text = canonical(word)
    return text in FINISHED or text in ENDED or re.split(r"[\s:(,]", text)[0] in ENDED


def state_columns(table: Any) -> list[str]:
    """The columns of a table that say how runs ended: `status`, and others whose words are words of state."""
    return [name for name in table if isinstance(name, str) and _says_state(name, table)]


def _says_state(name: str, table: Any) -> bool:
    if name == "status":
        return True
    squashed = re.sub(r"[^a-z]", "", re.split(r"[./:]", name.casefold())[-1])
    if (squashed.endswith(_STATE) and squashed not in _CODES) or squashed == "outcome":
        words = {canonical(word) for word in _distinct(table[name])}
        if words and words <= SLURM_CODES and "cd" in words:
            return True
        words -= SLURM_CODES - {"oom"}
        return bool(words & (FINISHED | ALONE)) or (bool(words) and all(map(is_known, words)))
    bare = re.sub(r"^(?:is|has|was|run|did)", "", squashed)
    if bare in _YES_IS_BAD or bare in _YES_IS_GOOD:
        return _yes_or_no(table[name])
    if squashed in _CODES:
        return all(re.fullmatch(r"-?\d+(\.0)?(:\d+)?", str(word)) for word in _distinct(table[name]))
    return False


def unread(table: Any) -> list[tuple[str, list[str]]]:
    """Columns named state or status that hold a few numbers, with these: nobody can tell what they mean."""
    found = []
    for name in table:
        squashed = re.sub(r"[^a-z]", "", re.split(r"[./:]", str(name).casefold())[-1])
        if squashed in _STATE or squashed in ("runstate", "runstatus", "jobstate", "jobstatus", "trialstate"):
            words = [str(value) for value in _distinct(table[name])]
            if (
                name != "status"
                and 1 < len(words) <= 10
                and all(re.fullmatch(r"[\d.:-]+", word) for word in words)
            ):
                found.append((str(name), words))
    return found


def _distinct(column: Any) -> list[Any]:
    """The different values of a column, at most 1,000; empty cells are none."""
    values = pd.Series(pd.unique(pd.Series(np.asarray(column)))).dropna()
    return [] if len(values) > 1000 else [value for value in values if str(value).strip()]


def _yes_or_no(column: Any) -> bool:
    words = {str(word).strip().casefold() for word in _distinct(column)}
    return bool(words) and words <= _YES | _NO


def finished(name: str, column: Any) -> Any:
    """Which rows a column of state says to be finished runs, (n,) bool; an empty cell is no finished run.

    Of a column of yes or no an empty cell says nothing.
    """
    codes, words = pd.factorize(np.asarray(column, dtype=object))
    squashed = re.sub(r"[^a-z]", "", re.split(r"[./:]", name.casefold())[-1])
    bare = re.sub(r"^(?:is|has|was|run|did)", "", squashed)
    if name != "status" and (bare in _YES_IS_BAD or bare in _YES_IS_GOOD):
        no = _NO if bare in _YES_IS_GOOD else _YES
        good, empty = [str(word).strip().casefold() not in no for word in words], True
    elif squashed in _CODES:
        good, empty = [str(word) in ("0", "0.0", "0:0") for word in words], False
    else:
        spelled = [canonical(word) for word in words]
        others = {word for word in spelled if word in FINISHED} - {OF_RAY}
        good = [word in FINISHED and not (word == OF_RAY and others) for word in spelled]
        empty = False
    return np.array([*good, empty], dtype=bool)[codes]  # code -1, an empty cell, is the last


def states(table: Mapping[str, Any] | pd.DataFrame, rows: int) -> tuple[Any, Any]:
    """Which of a table's rows are finished runs, (n,) bool, and of the others what says so, (n,) of words."""
    keep, why = np.ones(rows, dtype=bool), np.full(rows, "", dtype=object)
    for name in state_columns(table):
        good = finished(name, table[name])
        new = keep & ~good
        if new.any():
            why[new] = [_reason(name, value) for value in np.asarray(table[name], dtype=object)[new]]
        keep &= good
    return keep, why


def _reason(name: str, value: Any) -> str:
    """The word that leaves a row out; of a column of yes or no, or of codes, the column with it."""
    text = "" if value is None or value is pd.NA or value != value else str(value).strip()
    if not text:
        return f"no {name}"
    plain = text.casefold() in _YES | _NO or not re.search("[A-Za-z]", text)
    return f"{name} {text}" if plain else text
