"""What a call of `run_sweep` came to, and how it is described."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sweeps.config.run import RunConfig
from sweeps.store.status import ENDED, Observer, RunStatus
from sweeps.store.store import Store


@dataclass(frozen=True)
class Outcome:
    """How the training of a call ended."""

    fatal: str = ""  # why nothing could go on. Empty if all went well
    interrupted: bool = False
    left_to: str = ""  # what goes on with the sweep by itself


@dataclass(frozen=True)
class SweepResult:
    """What a call of run_sweep came to."""

    folder: Path
    table: pd.DataFrame  # every finished run of the folder
    trained: int  # runs finished in this call
    skipped: int  # runs that were finished before
    failed: dict[str, str]  # {label: reason}
    diverged: list[str]  # labels
    interrupted: bool
    fatal: str  # why nothing could go on. Empty if all went well
    damaged: list[str]  # a sentence on each file that was set aside in this call
    left_to: str = ""  # what goes on with the sweep by itself

    @property
    def ok(self) -> bool:
        """True if every run has a row."""
        return not (self.failed or self.interrupted or self.fatal)

    @property
    def summary(self) -> str:
        """What happened, what is safe, what to do: a few lines."""
        where = self.folder / "runs.parquet"
        lines = [f"damaged: {sentence}" for sentence in self.damaged]
        if self.fatal:
            lines.append(f"stopped: {self.fatal}")
        if self.interrupted:
            lines.append("interrupted")
        lines += [f"failed: {label}: {reason}" for label, reason in self.failed.items()]
        lines += [f"diverged: {label}: kept in the table, left out of fits" for label in self.diverged]
        if self.ok and not self.trained and not self.left_to:
            lines.append(f"nothing to train: all {self.skipped} runs are in {where}")
        elif self.left_to:
            lines.append(f"{self.left_to} go on by themselves. Look: parscale status {self.folder}")
        elif self.ok:
            lines.append(f"{self.trained} runs trained, {self.skipped} already there: {where}")
        else:
            safe = f"{len(self.table)} finished runs are safe in {where}"
            lines.append(f"{safe}. The same command goes on from the last checkpoints")
        return "\n".join(lines)


def _damaged(store: Store, before: set[Path]) -> list[str]:
    """A sentence on each file set aside since then: by this process, or by one whose words are in its log."""
    others = [path for path in store.damaged() - before if not any(str(path) in one for one in store.said)]
    return store.said + [f"{path}: fails its checksum: set aside" for path in sorted(others)]


def result_of(
    store: Store,
    runs: dict[str, RunConfig],
    before: set[str],
    aside: set[Path],
    outcome: Outcome,
    until: Mapping[str, int] | None = None,
) -> SweepResult:
    """What came of `runs`. `before` was finished and `aside` set aside when the call began. `until`: as of `Observer`."""
    states: list[RunStatus] = Observer(store.folder, until=until).look(runs)
    left = [run for run in states if run.state not in (*ENDED, "paused")]
    failed = {} if outcome.left_to else {run.label: run.error for run in left if run.state == "failed"}
    if outcome == Outcome():
        failed |= {run.label: "its worker ended early" for run in left if run.state != "failed"}
    return SweepResult(
        folder=store.folder,
        table=store.table(),
        trained=len(runs) - len(before) - len(left),
        skipped=len(before),
        failed=failed,
        diverged=[run.label for run in states if run.state == "diverged"],
        interrupted=outcome.interrupted,
        fatal=outcome.fatal,
        damaged=_damaged(store, aside),
        left_to=outcome.left_to,
    )
