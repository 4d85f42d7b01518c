"""The state of a sweep, read from its folder: the same truth for the live view and `parscale status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sweeps.config.run import RunConfig
from sweeps.config.searched_fields import at, searched_fields, value_of
from sweeps.store.locks import Locks
from sweeps.store.paused import waits
from sweeps.store.store import Store

ENDED = ("done", "diverged", "stopped")  # they have a row
SWEEPS = Path("results/sweeps")  # where a grid's runs go by default


def sweep_folder(name: str) -> Path:
    """The folder of a sweep, given as such or as a grid's name. ValueError where there is none."""
    folder = Path(name) if _is_sweep(Path(name)) else SWEEPS / name
    if not _is_sweep(folder):
        raise ValueError(
            f"{name} is no sweep folder, nor is one of that name under {SWEEPS}. `parscale sweep` writes them"
        )
    return folder


def _is_sweep(folder: Path) -> bool:
    return (folder / "sweep.json").is_file() or (folder / "configs").is_dir()


@dataclass(frozen=True)
class RunStatus:
    """What the disk says of one run."""

    run_id: str
    config: RunConfig
    state: str  # done, diverged, stopped, running, paused, interrupted, failed, pending
    step: int = 0
    loss: float | None = None
    tokens_per_s: float | None = None
    eta_s: float | None = None
    error: str = ""
    at: str = ""  # its place on axes of the sweep's own: "lr 0.003"

    @property
    def label(self) -> str:
        """What to call the run on one line."""
        c = self.config
        recipe = "" if c.recipe == "scratch" else f" {c.recipe}"
        return f"{c.size} P={c.model.P} {c.corpus} seed {c.seed}{recipe}{f' {self.at}' if self.at else ''}"

    @property
    def share(self) -> float:
        """How much of its training is done, stage 1 not counted."""
        return 1.0 if self.state in ENDED else self.step / self.config.steps


class Observer:
    """Reads run after run from one sweep folder. Keeps what it needs to tell a dead owner, and what cannot
    change: a look reads no file of a run that has ended or has not begun.

    To the launcher of `session`, what failed in an earlier session is yet to be tried.
    """

    def __init__(
        self,
        folder: Path,
        session: str = "",
        searched: Sequence[str] = (),
        until: Mapping[str, int] | None = None,
    ) -> None:
        """`searched` are fields that distinguish the folder's runs, in addition to those in which the runs looked at differ.

        `until` has the steps at which runs pause: one that has come so far is paused, whoever trained it.
        """
        self.session, self.until = session, until or {}
        self.store = Store(folder)
        self.locks = Locks(folder / "locks")
        self._configs: dict[str, RunConfig] = {}
        self._known, self._searched = list(searched), list(searched)
        self._still: dict[tuple[str, bool], RunStatus] = {}  # of (run_id, finished)

    def look(self, configs: Mapping[str, RunConfig]) -> list[RunStatus]:
        """The state of each run, in the order given."""
        if configs != self._configs:
            self._configs = dict(configs)
            self._searched = list(dict.fromkeys([*self._known, *searched_fields(configs.values())]))
            self._still = {}
        finished, begun = self.store.finished(), self.store.begun()
        found = []
        for run_id, config in configs.items():
            ended = run_id in finished
            known = self._still.get((run_id, ended)) if ended or run_id not in begun else None
            if known is None:
                noted = self.store.noted(run_id) if run_id in begun else {}
                known = self._one(run_id, config, ended, noted)
                if ended or run_id not in begun:
                    self._still[run_id, ended] = known
            found.append(known)
        return found

    def _one(self, run_id: str, config: RunConfig, finished: bool, noted: dict[str, Any]) -> RunStatus:
        state = str(noted.get("state", "pending"))
        row = self.store.outcome(run_id) if finished else {}
        if finished:  # the row says how: what was noted next to the weights may be gone with them
            state = {"ok": "done"}.get(status := str(row.get("status", "ok")), status)
        elif waits(self.store, run_id, self.until.get(run_id)):
            state = "paused"
        elif state in ("running", "done", "diverged"):  # noted as ended, yet no row: not ended
            state = "running" if self.locks.owner(run_id) else "interrupted"
        elif state == "failed" and self.session and self.session not in noted.get("failed_in", ()):
            state = "pending"
        elif state == "paused" and self.session:
            state = "interrupted"  # this call takes it farther
        early = state in ("diverged", "stopped")
        return RunStatus(
            run_id,
            config,
            state,
            step=_ended_step(row, config) if finished else int(noted.get("step", 0)),
            loss=row.get("loss") if finished else noted.get("loss"),
            tokens_per_s=noted.get("tokens_per_s"),
            eta_s=noted.get("eta_s"),
            error=str(row.get("ended_why") or "") if early else str(noted.get("error", "")),
            at=at(config, self._searched),
        )


def _ended_step(row: Mapping[str, Any], config: RunConfig) -> int:
    """The step that a finished run came to. Rows of old do not say where theirs diverged."""
    step = row.get("ended_step")
    return config.steps if step is None or step != step else int(step)


def sweep_status(folder: Path) -> pd.DataFrame:
    """One row a run: run_id, size, P, r, corpus, recipe, seed, state, step, steps, loss and, where they are
    known, tokens_per_s, eta_s, error and N. After seed, the fields that the sweep searches,
    which `attrs["searched"]` names.
    """
    observer = Observer(folder)
    configs = observer.store.configs()
    runs, searched = observer.look(configs), searched_fields(configs.values())
    rows = [
        {
            "run_id": run.run_id,
            "size": run.config.size,
            "P": run.config.model.P,
            "r": run.config.model.loops,
            "corpus": run.config.corpus,
            "recipe": run.config.recipe,
            "seed": run.config.seed,
            **{name: value_of(run.config, name) for name in searched},
            "state": run.state,
            "step": run.step,
            "steps": run.config.steps,
            "loss": run.loss,
            "tokens_per_s": run.tokens_per_s if run.state == "running" else None,
            "eta_s": run.eta_s if run.state == "running" else None,
            "error": run.error,
            "N": run.config.model.N,
        }
        for run in runs
    ]
    order = ["corpus", "N", "r", "P", *searched, "seed"]
    table = pd.DataFrame(rows).sort_values(order, ignore_index=True) if rows else pd.DataFrame(rows)
    table.attrs["searched"] = searched
    return table
