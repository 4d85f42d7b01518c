"""Run a grid whose runs search a setting: rounds of `run_sweep`, and after each a decision at every point.

    search_sweep(configs, read_search("lr=1e-3..1e-1"), out, name="demo", rule="...") -> SearchResult

What is decided follows from the folder alone (`sweeps.grids.search.decide`): killed at any moment, the same call goes
on as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from sweeps.config.run import RunConfig
from sweeps.config.searched_fields import value_of, with_value
from sweeps.driver.run_sweep import run_sweep
from sweeps.driver.sweep_result import SweepResult
from sweeps.grids.search import Decision, Search, Trial, decide
from sweeps.store.checksums import read_parquet
from sweeps.store.paused import end_paused, paused_row
from sweeps.store.store import Store


@dataclass(frozen=True)
class SearchResult:
    """What a search came to: of the last round, and at each point."""

    sweep: SweepResult
    lines: tuple[str, ...] = ()  # a sentence a point, once all are settled
    lost: bool = False  # whether some point has no value that does not diverge

    @property
    def ok(self) -> bool:
        """True if every point has its best value."""
        return self.sweep.ok and not self.lost

    @property
    def summary(self) -> str:
        """What was found, or why it was not."""
        return "\n".join(self.lines) if self.sweep.ok else self.sweep.summary


def search_sweep(
    configs: Sequence[RunConfig], search: Search, out: Path, *, retry_diverged: bool = False, **settings: Any
) -> SearchResult:
    """Train `configs`, a run a point and random seed, at the values of `search` until every point is settled.

    `settings` are those of `run_sweep`. Raises ValueError for runs of two stages, whose second goes on from one value.
    """
    if any(run.recipe in ("stage-1", "two-stage") for run in configs):
        raise ValueError(
            "--search: a second stage goes on from one first stage. Search the scratch recipe first"
        )
    store, planned, points = Store(out), search.candidates(configs), dict[RunConfig, Point]()

    def until(runs: Mapping[str, RunConfig]) -> dict[str, int]:
        points.clear()
        points.update(search_points(store, search, runs))
        due = {run_id: step for point in points.values() for run_id, step in point.due()}
        if again := [one for one in due if store.is_finished(one)]:  # lost a search that was narrower
            store.forget(again)
        return {run_id: due.get(run_id, 0) for run_id in runs if due.get(run_id) != runs[run_id].steps}

    while True:
        before = {run: point.decision.due for run, point in points.items()}
        result = run_sweep(
            planned, out, until=until, retry_diverged=retry_diverged and not points, **settings
        )
        if not result.ok:
            return SearchResult(result)
        now = search_points(
            store, search, {one: run for point in points.values() for one, run in point.runs.items()}
        )
        _end_hopeless(store, now.values(), settings.get("console") or Console())
        if not any(point.decision.due for point in now.values()):
            return _settled(store, search, now, result)
        if before == {run: point.decision.due for run, point in now.items()}:
            raise RuntimeError(f"{out}: a round of the search changed nothing")
        planned += [run for point in now.values() for run in point.missing(search.field)]


@dataclass(frozen=True)
class Point:
    """The runs at one point of the grid, and what is to become of them."""

    runs: Mapping[str, RunConfig]
    trials: Sequence[Trial]
    decision: Decision
    by_value: Mapping[float, Sequence[str]]  # ids

    def due(self) -> Iterator[tuple[str, int]]:
        """The runs to be taken farther, and the step they are to come to."""
        for value, step in self.decision.due.items():
            yield from ((run_id, step) for run_id in self.by_value.get(value, ()))

    def missing(self, field: str) -> list[RunConfig]:
        """The runs at values that are due and that there are none of."""
        like = self.by_value[self.trials[0].value]
        new = [value for value in self.decision.due if value not in self.by_value]
        return [with_value(self.runs[run_id], field, value) for value in new for run_id in like]


def search_points(store: Store, search: Search, runs: Mapping[str, RunConfig]) -> dict[RunConfig, Point]:
    """The points that runs of a sweep belong to, each by its run at the lowest value and seed 0."""
    groups: dict[RunConfig, dict[str, RunConfig]] = {}
    for run_id, run in runs.items():
        at = replace(with_value(run.identity, search.field, search.values[0]), seed=0)
        groups.setdefault(at, {})[run_id] = run
    curves = _curves(store)
    found = {}
    for at, group in groups.items():
        by_value: dict[float, list[str]] = {}
        for run_id, run in group.items():
            by_value.setdefault(value_of(run, search.field), []).append(run_id)
        trials = [
            _trial(store, with_value(at, search.field, value), value, by_value[value], curves)
            for value in sorted(by_value)
        ]
        found[at] = Point(group, trials, decide(search, trials), by_value)
    return found


def _curves(store: Store) -> dict[str, pd.DataFrame]:
    """The gathered curves, by run."""
    path = store.folder / "curves.parquet"
    if not path.exists():
        return {}
    table = read_parquet(path, ["run_id", "step", "train_loss"])
    return {str(run_id): curve for run_id, curve in table.groupby("run_id")}


def _trial(
    store: Store, run: RunConfig, value: float, run_ids: Sequence[str], curves: Mapping[str, pd.DataFrame]
) -> Trial:
    """The state of the seeds of a value."""
    done, losses, found = [], [], []
    for run_id in run_ids:
        row = store.outcome(run_id) if store.is_finished(run_id) else paused_row(store, run_id)
        status = row.get("status", "none")
        early = row.get("ended_step", 0)
        done.append(run.steps if status == "ok" or early != early else int(early or 0))
        losses.append({"ok": row.get("loss", math.nan), "diverged": math.inf}.get(status, math.nan))
        path = store.checkpoint(run_id) / "curve.parquet"
        if done[-1]:
            found.append(read_parquet(path, ["step", "train_loss"]) if path.exists() else curves.get(run_id))
    known = [curve.set_index("step")["train_loss"] for curve in found if curve is not None]
    mean = pd.concat(known, axis=1, join="inner").mean(axis=1) if known else pd.Series(dtype=float)
    loss = math.inf if math.inf in losses else float(np.mean(losses))
    curve = [(int(step), float(loss)) for step, loss in mean.items()]  # type: ignore[call-overload]
    return Trial(value, run, min(done), curve, loss)


def _end_hopeless(store: Store, points: Iterable[Point], console: Console) -> None:
    """End what cannot win at its point, and print why."""
    for point in points:
        for line in _end(store, point, point.decision.hopeless):
            console.print(line, highlight=False, soft_wrap=True)


def _end(store: Store, point: Point, why: Mapping[float, str]) -> list[str]:
    """End the paused runs of values for good, and say of each why."""
    told = []
    for value, reason in why.items():
        for run_id in point.by_value.get(value, ()):
            run, at = point.runs[run_id], paused_row(store, run_id).get("ended_step")
            words = f"stopped at step {at} of {run.steps}: {reason}"
            if end_paused(store, run_id, words):
                told.append(f"{run.size} P={run.model.P} {run.corpus} seed {run.seed} at {value:g} {words}")
    return told


def _settled(
    store: Store, search: Search, points: Mapping[RunConfig, Point], last: SweepResult
) -> SearchResult:
    """End what lost, and say what was found at each point and what it took."""
    for point in points.values():
        _end(store, point, dict.fromkeys(point.by_value, f"lost the search of {search.field}"))
    store.gather(curves=True)
    lines = [_told(search, run, point) for run, point in points.items()]
    spent = sum(trial.done * run.own_C / run.steps for run, p in points.items() for trial in p.trials)
    whole = sum(len(p.trials) * run.own_C for run, p in points.items())
    share = f"{spent / whole:.0%} of the FLOPs of every value trained to its end"
    lines.append(
        f"{share}. The losses against {search.field}: parscale figures {store.folder} --only searched"
    )
    lost = any(math.isnan(point.decision.best) for point in points.values())
    return SearchResult(replace(last, table=store.table()), tuple(lines), lost)


def _told(search: Search, run: RunConfig, point: Point) -> str:
    """What was found at one point, in a line."""
    name, best = search.field, point.decision.best
    where = f"{run.size} P={run.model.P} {run.corpus}"
    low, high = point.trials[0].value, point.trials[-1].value
    if math.isnan(best):
        return f"{where}: diverges at every {name} from {low:g} to {high:g}. Search lower values"
    trials = {trial.value: trial for trial in point.trials}
    ended = sum(trial.ended for trial in point.trials)
    said = f"{where}: best {name} {best:g}, loss {trials[best].loss:.4f}. {ended} of {len(trials)} values to the end"
    if bad := [value for value, trial in trials.items() if math.isinf(trial.loss)]:
        said += f", diverged at {', '.join(f'{value:g}' for value in bad)}"
    if not point.decision.bracketed:
        said += f". The best is at the edge of what was tried, {low:g} to {high:g}"
    return said
