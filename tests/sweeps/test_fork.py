"""A sweep whose code or configurations have changed: refused by name, or forked."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from sweeps import corpora, fork
from sweeps.execution import Execution
from sweeps.grids import Axes, find
from sweeps.launch import run_sweep
from sweeps.store import Store
from sweeps.worker import Fatal, Job, work

RUNS = find("ci")(Axes(sizes=("32x1",), streams=(1, 2)))


@pytest.fixture
def begun(tmp_path):
    """A sweep with one run finished and one half trained."""
    store = Store(tmp_path / "sweep")
    store.create("ci", "")
    fork.go_on(store, RUNS, fork=False)
    finished, half = store.add(RUNS)
    store.finish(
        finished, {"run_id": finished, "corpus": "stdlib", "N": 1, "P": 1, "seed": 0, "status": "ok"}
    )
    store.checkpoint(half).mkdir()
    (store.checkpoint(half) / "step-000000003-0123456789abcdef.ckpt").touch()
    return store


def edit(store, **marks):
    """As if the sweep had been begun with other code."""
    (store.folder / "code.json").write_text(json.dumps({**fork.code(), **marks}))


def test_the_same_sweep_goes_on(begun):
    fork.go_on(begun, RUNS, fork=False)
    more = find("ci")(Axes(sizes=("32x1", "64x1"), streams=(1, 2, 4)))
    fork.go_on(begun, more, fork=False)  # further points are no change
    assert len(list(begun.folder.rglob("step-*.ckpt"))) == 1


def test_changed_code_is_refused_by_name_and_forked_when_told(begun):
    edit(begun, optim="0", torch="1.0")
    with pytest.raises(
        ValueError, match=r"begun otherwise \(torch 1.0 is now .*, changed: sweeps/optim.py\): .* --fork$"
    ):
        fork.go_on(begun, RUNS, fork=False)
    assert len(list(begun.folder.rglob("step-*.ckpt"))) == 1
    fork.go_on(begun, RUNS, fork=True)
    assert not list(begun.folder.rglob("step-*.ckpt"))  # the half-trained run starts anew
    assert len(begun.finished()) == 1
    fork.go_on(begun, RUNS, fork=False)


def test_changed_code_does_not_matter_where_nothing_is_left_to_train(begun):
    edit(begun, optim="0")
    fork.go_on(begun, RUNS[:1], fork=False)


def test_a_changed_configuration_is_refused_by_name_and_trained_beside_the_old_one(begun):
    changed = [replace(run, lr=0.5) for run in RUNS]
    with pytest.raises(ValueError, match=r"\(32x1 P=1 seed 0: lr 0.011\d* is now 0.5\)"):
        fork.go_on(begun, changed, fork=False)
    fork.go_on(begun, changed, fork=True)
    begun.add(changed)
    fork.go_on(begun, changed, fork=False)
    assert len(begun.configs()) == 4
    assert len(list(begun.folder.rglob("step-*.ckpt"))) == 1


def test_a_second_plan_with_the_old_runs_in_it_changes_nothing(begun):
    fork.go_on(begun, [*RUNS, *(replace(run, steps=9) for run in RUNS)], fork=False)  # another D: an axis


def test_the_driver_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "bind", lambda configs, report: list(configs))
    store = Store(tmp_path)
    store.create("ci", "")
    [old] = store.add([replace(RUNS[0], lr=0.5)])
    with pytest.raises(ValueError, match="begun otherwise"):
        run_sweep(RUNS, tmp_path, console=Console(file=io.StringIO()), trainer="fake_trainer:train")
    assert list(store.configs()) == [old]


def test_a_worker_with_other_code_trains_nothing(begun):
    edit(begun, model="0")
    job = Job(str(begun.folder), list(begun.configs()), "session", Execution(), "json:dumps")
    with pytest.raises(Fatal, match=r"this worker's code is not the sweep's \(changed: sweeps/model.py\)"):
        work(job, lambda: False)


def test_comments_and_docstrings_are_no_change(tmp_path, monkeypatch):
    monkeypatch.setattr(fork, "HERE", tmp_path)
    marks = set()
    for text in ('"""A."""\nx = 1  # one\n', '"""B."""\n\nx = (1)\n', "x = 2\n"):
        (tmp_path / "m.py").write_text(text)
        marks.add(fork._hash("m"))
    assert len(marks) == 2


def test_what_trains_counts_and_what_drives_does_not():
    assert {"torch", "model", "loss", "optim", "module", "tokens", "evaluate", "train"} <= set(fork.code())
    assert not {"launch", "worker", "store", "config", "row", "slurm"} & set(fork.code())
