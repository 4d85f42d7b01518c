"""What a sweep shows while it runs: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from sweeps.status import RunStatus

PLAIN_EVERY_S = 60.0
ENDED = ("done", "diverged", "failed")


def describe(run: RunStatus) -> str:
    """One line on a run."""
    parts = [run.label, run.state]
    if run.state == "running":
        parts.append(f"step {run.step}/{run.config.steps}")
    if run.loss is not None and run.loss == run.loss:
        parts.append(f"loss {run.loss:.4f}")
    if run.error:
        parts.append(run.error)
    return "  ".join(parts)


def clock(seconds: float) -> str:
    """Hours, minutes and seconds, as short as can be."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


class View:
    """Shows the states it is given: one bar for the grid and one for each run under way."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.live = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self.bars: dict[str, TaskID] = {}
        self.said: set[str] = set()
        self.started = self.last_plain = time.monotonic()
        self.first_C: float | None = None

    def __enter__(self) -> View:
        self.live.__enter__()
        self.grid = self.live.add_task("grid", total=1.0, note="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.live.__exit__(kind, error, trace)

    def show(self, runs: Sequence[RunStatus]) -> None:
        """Bring the view up to `runs`."""
        for run in runs:
            if run.state in ENDED and run.run_id not in self.said:
                self.said.add(run.run_id)
                self.live.console.print(describe(run), highlight=False)
        self._bars([run for run in runs if run.state == "running"])
        ended = sum(run.state in ENDED for run in runs)
        share, note = self._grid(runs, ended)
        self.live.update(self.grid, completed=share, note=note)
        if not self.console.is_terminal and time.monotonic() - self.last_plain > PLAIN_EVERY_S:
            self.last_plain = time.monotonic()
            self.console.print(f"grid {share:.0%}  {note}", highlight=False)
            for run in runs:
                if run.state == "running":
                    self.console.print(f"  {describe(run)}", highlight=False)

    def _grid(self, runs: Sequence[RunStatus], ended: int) -> tuple[float, str]:
        """Share of the FLOPs done, and a note with the time left at this session's pace."""
        total, done = sum(run.config.C for run in runs), sum(run.done_C for run in runs)
        if self.first_C is None:
            self.first_C = done
        spent = time.monotonic() - self.started
        gained = done - self.first_C
        left = f", {clock((total - done) * spent / gained)} left" if gained > 0.01 * total else ""
        return done / total, f"{ended}/{len(runs)} runs, {clock(spent)}{left}"

    def _bars(self, running: Sequence[RunStatus]) -> None:
        current = {run.run_id: run for run in running}
        for run_id in set(self.bars) - set(current):
            self.live.remove_task(self.bars.pop(run_id))
        for run_id, run in current.items():
            if run_id not in self.bars:
                self.bars[run_id] = self.live.add_task(run.label, total=run.config.steps, note="")
            speed = f"{run.tokens_per_s:,.0f} tokens/s" if run.tokens_per_s else "starting"
            loss = f"loss {run.loss:.3f}, " if run.loss is not None and run.loss == run.loss else ""
            self.live.update(self.bars[run_id], completed=run.step, note=loss + speed)
