"""A search of one setting at every point of a grid: successive halving of real runs, then a bracket of the best.

Every value begins at every point. At each rung, a share of the steps, the losers of a point pause. Those that are left
are trained to the end, then the two values on either side of the best one, beyond the range where it is at the
edge, until the best has worse neighbours. Only then are the paused ones ended. A loss in the
middle of training favours low learning rates, which the annealing at the end corrects: the bracket allows for that.
A search may also have a rule of values that cannot win (`sweeps.grids.forecast_losers`). These end at the rung for good
and count as worse neighbours.

Nothing but the curves decides, and only once every run of a point has come to its rung: the same runs are trained in the
same steps whatever was killed, and however many workers there are. Successive halving: Jamieson and Talwalkar 2016.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweeps.config.run import RunConfig
from sweeps.config.searched_fields import OF_MODEL, OF_RUN, check_field, with_value

RUNGS = (0.25, 0.5)
PER_DOUBLING = 1.0  # values a factor of two unless their number is given
KEEP = 3  # values that go on after every rung
AROUND = 2  # values on either side of the best that are trained to the end: five tell a minimum
FARTHER = 4  # values beyond the range that are tried at most
WINDOW = 0.2  # share of a rung's steps, before it, over which the loss is averaged

Curve = Sequence[tuple[int, float]]  # (step, training loss in nats per token), the mean since the step before
Losers = Callable[[Mapping[float, Curve], int], set[float]]
"""{value: its curve up to a rung}, the whole run's steps -> the values that lose there."""
Hopeless = Callable[[Mapping[float, Curve], Mapping[float, RunConfig]], Mapping[float, str]]
"""{value: its curve up to a rung}, {value: its run} -> the values that cannot win, and why."""


def worse_half(curves: Mapping[float, Curve], steps: int) -> set[float]:
    """The half of the values, rounded down, of the higher loss at the end of their curves."""
    at_end = {value: recent_loss(curve) for value, curve in curves.items()}
    ranked = sorted(at_end, key=lambda value: (at_end[value], value))
    return set(ranked[math.ceil(len(ranked) / 2) :])


def recent_loss(curve: Curve) -> float:
    """The mean training loss over the last steps of a curve, nats per token. Infinite where there is no number."""
    if not curve:
        return math.inf
    last = curve[-1][0]
    near = [loss for step, loss in curve if step > (1 - WINDOW) * last]
    mean = math.fsum(near) / len(near)
    return mean if math.isfinite(mean) else math.inf


@dataclass(frozen=True)
class Search:
    """Which field is searched, over which values."""

    field: str
    values: tuple[float, ...]  # ascending, a constant factor apart
    rungs: tuple[float, ...] = RUNGS  # shares of a run's steps
    keep: int = KEEP  # values that no rung goes below
    around: int = AROUND
    losers: Losers = dataclasses.field(default=worse_half, compare=False)
    hopeless: Hopeless | None = dataclasses.field(default=None, compare=False)

    def candidates(self, runs: Sequence[RunConfig]) -> list[RunConfig]:
        """Every run at every value."""
        return [with_value(run, self.field, value) for run in runs for value in self.values]

    def beyond(self, value: float, way: int) -> float:
        """The next value above (way 1) or below (-1)."""
        factor = (self.values[-1] / self.values[0]) ** (1 / (len(self.values) - 1))
        return _rounded(value * factor**way)

    @property
    def share(self) -> float:
        """Of training every value to its end: what the search takes where the range holds the best and none diverges."""
        left, before, spent = len(self.values), 0.0, 0.0
        for rung in self.rungs:
            spent, before = spent + left * (rung - before), rung
            left = min(left, max(self.keep, math.ceil(left / 2)))
        spent += left * (1 - before)
        again = max(0, 2 * self.around + 1 - left)  # neighbours of the best that had lost at the last rung
        return (spent + again * (1 - before)) / len(self.values)

    @property
    def told_rungs(self) -> str:
        """The rungs in words."""
        return " and ".join(f"{rung:.0%}" for rung in self.rungs) + " of their steps"


def read_search(text: str) -> Search:
    """The search of "lr=1e-3..1e-1", in steps of about two, or of "lr=1e-3..1e-1:5", five values. ValueError otherwise."""
    found = re.fullmatch(r"\s*(\w+)\s*=\s*(\S+?)\s*\.\.\s*([^\s:]+)\s*(?::\s*(\d+))?\s*", text)
    if not found:
        raise ValueError(f"--search {text}: write FIELD=LOW..HIGH, or FIELD=LOW..HIGH:COUNT")
    name, low, high, count = found.groups()
    check_field(name, "--search")
    if str((OF_RUN | OF_MODEL)[name].type) != "float":
        raise ValueError(
            f"--search {name}: only numbers are searched, such as lr. --axis takes the values of others"
        )
    try:
        ends = float(low), float(high)
    except ValueError:
        raise ValueError(f"--search {text}: LOW and HIGH are numbers, such as 1e-3..1e-1") from None
    if not 0 < ends[0] < ends[1] < math.inf:
        raise ValueError(f"--search {text}: LOW must be above 0 and below HIGH")
    number = (
        int(count) if count else max(2 * AROUND + 1, 1 + round(PER_DOUBLING * math.log2(ends[1] / ends[0])))
    )
    if number < 3:
        raise ValueError(f"--search {text}: {number} values have no middle. Give at least 3")
    return Search(name, tuple(_rounded(float(value)) for value in np.geomspace(*ends, number)))


def read_rungs(text: str) -> tuple[float, ...]:
    """(0.25, 0.5) from "0.25,0.5"."""
    try:
        rungs = tuple(float(part) for part in text.split(","))
    except ValueError:
        rungs = (math.nan,)
    if not all(0 < rung < 1 for rung in rungs) or list(rungs) != sorted(set(rungs)):
        raise ValueError(f"--rungs {text}: give shares of the steps between 0 and 1 that rise, e.g. 0.25,0.5")
    return rungs


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


@dataclass(frozen=True)
class Trial:
    """A value at a point of the grid, all its random seeds together."""

    value: float
    run: RunConfig  # its whole run, of seed 0
    done: int = 0  # that every seed has made
    curve: Curve = ()  # mean over seeds
    loss: float = (
        math.nan
    )  # validation loss at the end, mean over seeds. NaN before it, infinite where it diverged

    @property
    def steps(self) -> int:
        """Of the whole run."""
        return self.run.steps

    @property
    def ended(self) -> bool:
        """Whether its runs are at their end, good or bad."""
        return not math.isnan(self.loss)

    def until(self, step: int) -> Curve:
        """What was known of it at a step. Nothing where it had diverged before."""
        failed = math.isinf(self.loss) and self.done < step
        return [] if failed else [point for point in self.curve if point[0] <= step]


@dataclass(frozen=True)
class Decision:
    """What is to be done next at a point, or what was found."""

    due: Mapping[float, int]  # {value: the step to train it to}. Empty once the point is settled
    best: float = math.nan  # the value of lowest loss. NaN where none has a loss
    bracketed: bool = False  # a worse value was tried on either side of it
    hopeless: Mapping[float, str] = dataclasses.field(default_factory=dict)  # values to end, and why


def decide(search: Search, trials: Sequence[Trial]) -> Decision:
    """What is due at a point whose trials are in this state. Values that are not among them may be due too."""
    known = {trial.value: trial for trial in trials}
    runs = {value: with_value(trials[0].run, search.field, value) for value in search.values}
    alive = [known.get(value, Trial(value, run)) for value, run in runs.items()]
    hopeless: dict[float, str] = {}
    for rung in search.rungs:
        step = max(1, round(rung * trials[0].steps))
        if late := {trial.value: step for trial in alive if trial.done < step and not trial.ended}:
            return Decision(late, hopeless=hopeless)
        curves = {trial.value: trial.until(step) for trial in alive}
        if search.hopeless:
            hopeless |= search.hopeless(curves, {trial.value: trial.run for trial in alive})
        alive = _survivors(search, alive, curves, hopeless)
    if late := {trial.value: trial.steps for trial in alive if not trial.ended}:
        return Decision(late, hopeless=hopeless)
    worse = {value: replace(known[value], loss=math.inf) for value in hopeless}
    return replace(_bracket(search, known | worse, alive), hopeless=hopeless)


def _survivors(
    search: Search, alive: Sequence[Trial], curves: Mapping[float, Curve], hopeless: Collection[float]
) -> list[Trial]:
    """The trials that go on after a rung: of those with hope no fewer than `keep`, losers of lowest loss among them."""
    lost = search.losers(curves, alive[0].steps) if alive else set()
    order = sorted(alive, key=lambda t: (t.value in lost, recent_loss(curves[t.value]), t.value))
    fine = [t for t in order if t.value not in hopeless and math.isfinite(recent_loss(curves[t.value]))]
    kept = [trial for place, trial in enumerate(fine) if place < search.keep or trial.value not in lost]
    return sorted(kept, key=lambda trial: trial.value)


def _bracket(search: Search, known: Mapping[float, Trial], alive: Sequence[Trial]) -> Decision:
    """Train the neighbours of the best that have no loss yet, beyond the range too. Each round as if it were the first."""
    values, steps = list(search.values), next(iter(known.values())).steps
    seen = {trial.value: trial for trial in alive}
    while seen and math.isfinite(min(trial.loss for trial in seen.values())):
        best = min(seen.values(), key=lambda trial: (trial.loss, trial.value)).value
        sides = [_beside(search, values, seen, best, way) for way in (-1, 1)]
        wanted = [value for side in sides for value in side]
        if late := {v: steps for v in wanted if not (v in known and known[v].ended)}:
            return Decision(late, best)
        if all(value in seen for value in wanted):
            return Decision({}, best, bracketed=all(sides))
        seen |= {value: known[value] for value in wanted}
    return Decision({})


def _beside(
    search: Search, values: list[float], seen: Mapping[float, Trial], best: float, way: int
) -> list[float]:
    """The values next to the best on one side, up to one that diverged. `values` grows where the range ends."""
    found: list[float] = []
    at = best
    for _ in range(search.around):
        place = values.index(at) + way
        if not 0 <= place < len(values):
            if len(values) - len(search.values) >= FARTHER:
                break
            values.insert(max(0, place), search.beyond(at, way))
            place = max(0, place)
        at = values[place]
        found.append(at)
        if at in seen and math.isinf(seen[at].loss):
            break
    return found
