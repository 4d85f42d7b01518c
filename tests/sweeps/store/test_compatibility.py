"""A sweep whose code or configurations have changed: refused by name, or forked."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from sweeps.config.execution import Execution
from sweeps.corpora import build as corpora
from sweeps.driver.run_sweep import run_sweep
from sweeps.driver.worker import Fatal, Job, work
from sweeps.grids.grids import Axes, find
from sweeps.store import compatibility
from sweeps.store.compatibility import check_resumable
from sweeps.store.store import Store

RUNS = find("ci")(Axes(sizes=("32x1",), streams=(1, 2)))
OLD = {"torch": compatibility.training_code()["torch"], "model": "88a50bac7e5d", "optim": "1614ae5322a1"}


@pytest.fixture
def begun(tmp_path):
    """A sweep with one run finished and one half trained."""
    store = Store(tmp_path / "sweep")
    store.create("ci", "")
    check_resumable(store, RUNS, fork=False)
    finished, half = store.add(RUNS)
    store.finish(
        finished, {"run_id": finished, "corpus": "stdlib", "N": 1, "P": 1, "seed": 0, "status": "ok"}
    )
    store.checkpoint(half).mkdir()
    (store.checkpoint(half) / "step-000000003-0123456789abcdef.ckpt").touch()
    return store


def record(store, **changes):
    """As if the sweep had begun with other code."""
    (store.folder / "code.json").write_text(json.dumps({**compatibility.training_code(), **changes}))


def snapshots(store):
    return len(list(store.folder.rglob("step-*.ckpt")))


def test_the_same_sweep_is_resumed(begun):
    check_resumable(begun, RUNS, fork=False)
    more = find("ci")(Axes(sizes=("32x1", "64x1"), streams=(1, 2, 4)))
    check_resumable(begun, more, fork=False)  # further points are no change
    assert snapshots(begun) == 1


@pytest.mark.parametrize(
    ("changes", "named"), [({"training_version": 99}, "99"), ({"torch": "1.0"}, "torch 1.0")]
)
def test_changed_code_is_refused_by_name_and_forked_when_asked(begun, changes, named):
    record(begun, **changes)
    with pytest.raises(ValueError, match=named):
        check_resumable(begun, RUNS, fork=False)
    assert snapshots(begun) == 1
    check_resumable(begun, RUNS, fork=True)
    assert snapshots(begun) == 0  # the half-trained run starts from step 0
    assert len(begun.finished()) == 1
    check_resumable(begun, RUNS, fork=False)


def test_changed_code_does_not_matter_where_nothing_is_left_to_train(begun):
    record(begun, training_version=99)
    check_resumable(begun, RUNS[:1], fork=False)


def test_a_folder_of_version_0_1_is_resumed_and_mentioned_once(begun):
    (begun.folder / "code.json").write_text(json.dumps(OLD))
    lines = []
    check_resumable(begun, RUNS, False, lines.append)
    check_resumable(begun, RUNS, False, lines.append)
    assert len(lines) == 1
    assert snapshots(begun) == 1
    assert json.loads((begun.folder / "code.json").read_text()) == compatibility.training_code()


def test_a_folder_of_version_0_1_is_refused_under_another_torch(begun):
    (begun.folder / "code.json").write_text(json.dumps({**OLD, "torch": "1.0"}))
    with pytest.raises(ValueError, match=r"torch 1\.0"):
        check_resumable(begun, RUNS, fork=False)


def test_a_changed_configuration_is_refused_by_name_and_trained_beside_the_old_one(begun):
    changed = [replace(run, lr=0.5) for run in RUNS]
    with pytest.raises(ValueError, match=r"32x1 P=1 seed 0: lr 0.011\d*.*0.5\b"):
        check_resumable(begun, changed, fork=False)
    check_resumable(begun, changed, fork=True)
    begun.add(changed)
    check_resumable(begun, changed, fork=False)
    assert len(begun.configs()) == 4
    assert snapshots(begun) == 1


def test_how_a_run_is_carried_out_may_change(begun):
    ids = list(begun.configs())
    others = [replace(run, eval_batch=8, accumulate=2, log_points=7, compile=True) for run in RUNS]
    check_resumable(begun, others, fork=False)
    assert list(begun.add(others)) == ids
    assert begun.configs()[ids[0]].accumulate == 1  # it is finished
    assert begun.configs()[ids[1]] == others[1]
    assert begun.add(RUNS) == dict(zip(ids, RUNS, strict=True))
    assert begun.configs()[ids[1]] == RUNS[1]


def test_a_second_plan_with_the_old_runs_in_it_changes_nothing(begun):
    check_resumable(
        begun, [*RUNS, *(replace(run, steps=9) for run in RUNS)], fork=False
    )  # another D: an axis


def test_the_driver_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "bind", lambda configs, report, known: list(configs))
    store = Store(tmp_path)
    store.create("ci", "")
    [old] = store.add([replace(RUNS[0], lr=0.5)])
    with pytest.raises(ValueError, match=r"lr 0\.5\b"):
        run_sweep(RUNS, tmp_path, console=Console(file=io.StringIO()), trainer="fake_trainer:train")
    assert list(store.configs()) == [old]


def test_a_worker_with_other_code_trains_nothing(begun):
    record(begun, training_version=99)
    job = Job(str(begun.folder), list(begun.configs()), "session", Execution(), "json:dumps")
    with pytest.raises(Fatal, match="99"):
        work(job, lambda: False)
