"""What a sweep shows while it runs: one live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from sweeps.store.status import RunStatus

PLAIN_EVERY_S = 60.0
ENDED = ("done", "diverged", "stopped", "paused", "failed")  # there is no more to do in this call
STATES = (
    "running",
    "interrupted",
    "failed",
    "diverged",
    "pending",
    "paused",
    "stopped",
    "done",
)  # what comes first
MOST_ROWS = 15  # of the live table. Fewer on a terminal that is not as high
AROUND = 9  # lines in addition to the rows: the table's own, the sums, and some of what was printed before
BESIDE = 60  # columns in addition to what names a run


def describe_run(run: RunStatus) -> str:
    """One line on a run."""
    parts = [run.label, run.state]
    if run.state in ("running", "paused"):
        parts.append(f"step {run.step}/{run.config.steps}")
    if loss := _loss(run):
        parts.append(f"loss {loss}")
    if run.state == "running" and run.tokens_per_s:
        parts.append(f"{run.tokens_per_s:,.0f} tokens/s")
    if left := _left(run):
        parts.append(f"{left} left")
    if run.error:
        parts.append(run.error)
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as short as can be."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def counted(runs: Iterable[RunStatus]) -> str:
    """How many runs are in which state."""
    counts = Counter(run.state for run in runs)
    return ", ".join(f"{counts[state]:,} {state}" for state in STATES if counts[state])


def _loss(run: RunStatus) -> str:
    return f"{run.loss:.4f}" if run.loss is not None and run.loss == run.loss else ""


def _left(run: RunStatus) -> str:
    """The time that a run under way has yet to go."""
    known = run.state == "running" and run.eta_s is not None and run.eta_s == run.eta_s
    return clock(run.eta_s) if known and run.eta_s is not None else ""


class View:
    """Shows the states it is given: a row a run, those under way first, and the grid's sums below."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Live(console=console, auto_refresh=False, transient=True)
        self.said: set[str] = set()
        self.started = self.last_plain = time.monotonic()
        self.first_C: float | None = None
        self.whole_C: dict[str, float] = {}  # of a run, by its identity

    def __enter__(self) -> View:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.stop()

    def show(self, runs: Sequence[RunStatus]) -> None:
        """Bring the view up to `runs`."""
        for run in runs:
            if run.state in ENDED and run.run_id not in self.said:
                self.said.add(run.run_id)
                self.console.print(describe_run(run), highlight=False, markup=False, soft_wrap=True)
        share, pace = self._grid(runs)
        if self.console.is_terminal:
            sums = [f"{len(runs):,} runs: {counted(runs)}", f"grid {share:.0%}, {pace}"]
            self.live.update(Group(self._table(runs), *map(Text, sums)), refresh=True)
        elif time.monotonic() - self.last_plain > PLAIN_EVERY_S:
            self.last_plain = time.monotonic()
            line = f"grid {share:.0%}: {counted(runs)}. {pace}"
            self.console.print(line, highlight=False, soft_wrap=True)
            for run in runs:
                if run.state == "running":
                    self.console.print(
                        f"  {describe_run(run)}", highlight=False, markup=False, soft_wrap=True
                    )

    def _grid(self, runs: Sequence[RunStatus]) -> tuple[float, str]:
        """Share of the FLOPs done. Time spent and, at this session's pace, left."""
        for run in runs:
            if run.run_id not in self.whole_C:
                self.whole_C[run.run_id] = run.config.own_C
        total = sum(self.whole_C[run.run_id] for run in runs)
        done = sum(self.whole_C[run.run_id] * run.share for run in runs)
        if self.first_C is None:
            self.first_C = done
        spent = time.monotonic() - self.started
        gained = done - self.first_C
        left = f", {clock((total - done) * spent / gained)} left" if gained > 0.01 * total else ""
        return done / total, f"{clock(spent)} gone{left}"

    def _table(self, runs: Sequence[RunStatus]) -> Group:
        """As many runs as the terminal has lines for. Of the others, how many are in which state."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("run", no_wrap=True, max_width=max(12, self.console.width - BESIDE))
        for name in ("state", "step", "loss", "tokens/s", "left"):
            table.add_column(name, no_wrap=True, justify="left" if name == "state" else "right")
        order = sorted(runs, key=lambda run: STATES.index(run.state))
        rows = max(2, min(MOST_ROWS, self.console.height - AROUND))
        shown = order if len(order) <= rows else order[: rows - 1]
        words = [
            name for name in ("recipe", "corpus") if len({getattr(run.config, name) for run in runs}) > 1
        ]
        for run in shown:
            config = run.config
            named = [config.size, f"P={config.model.P}", f"seed {config.seed}", *([run.at] if run.at else [])]
            table.add_row(Text(" ".join([*named, *(getattr(config, name) for name in words)])), *_cells(run))
        others = order[len(shown) :]
        return Group(table, *([Text(f"and {counted(others)}")] if others else []))


def _cells(run: RunStatus) -> list[str]:
    """State, step, loss, tokens a second and time left, as the live table has them."""
    speed = f"{run.tokens_per_s:,.0f}" if run.state == "running" and run.tokens_per_s else ""
    return [run.state, f"{run.step}/{run.config.steps}", _loss(run), speed, _left(run)]
