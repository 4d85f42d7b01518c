"""Locks that survive their owners, whatever the clock says."""

import itertools
import json
import os
import subprocess
import sys
import time

from sweeps.store import locks as locks_module
from sweeps.store.locks import Locks


def test_a_lock_excludes_and_is_given_back(store):
    first, second = Locks(store.folder / "locks"), Locks(store.folder / "locks")
    lock = first.take("r")
    assert lock is not None
    assert second.take("r") is None
    assert second.owner("r")["pid"] == os.getpid()
    lock.release()
    other = second.take("r")
    assert other is not None
    other.release()


def test_a_dead_owner_s_lock_is_taken_over_at_once(store):
    code = (
        "import sys, os; from pathlib import Path; from sweeps.store.locks import Locks\n"
        "assert Locks(Path(sys.argv[1])).take('r'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code, str(store.folder / "locks")], check=False)
    lock = Locks(store.folder / "locks").take("r")
    assert lock is not None
    lock.release()


def test_a_remote_owner_is_dead_once_its_count_stands_still(store, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(locks_module.time, "monotonic", lambda: now[0])
    path = store.folder / "locks" / "r.lock"
    facts = {"host": "elsewhere", "pid": 1, "started": "", "key": "k", "count": 4}
    path.write_text(json.dumps(facts))
    watcher = Locks(store.folder / "locks")
    assert watcher.take("r") is None
    now[0] = 50
    path.write_text(json.dumps({**facts, "count": 5}))
    assert watcher.take("r") is None
    now[0] = 100
    assert watcher.take("r") is None
    now[0] = 111
    lock = watcher.take("r")
    assert lock is not None
    lock.release()


def test_an_owner_learns_that_its_lock_was_taken(store, monkeypatch):
    monkeypatch.setattr(locks_module, "BEAT_S", 0.01)
    lock = Locks(store.folder / "locks").take("r")
    facts = {"host": "elsewhere", "pid": 1, "started": "", "key": "another", "count": 1}
    lock.path.write_text(json.dumps(facts))
    lock.join(5)
    assert lock.lost
    lock.release()
    assert json.loads(lock.path.read_text())["key"] == "another"


def test_a_clock_that_jumps_takes_no_lock_and_gives_none(store, monkeypatch):
    monkeypatch.setattr(locks_module, "BEAT_S", 0.01)
    right, day = time.time, itertools.cycle([-86_400, 86_400])
    monkeypatch.setattr(time, "time", lambda: right() + next(day))
    lock = Locks(store.folder / "locks").take("r")
    facts = {"host": "elsewhere", "pid": 1, "started": "", "key": "k", "count": 4}
    (store.folder / "locks" / "far.lock").write_text(json.dumps(facts))
    watcher = Locks(store.folder / "locks")
    for _ in range(10):
        assert watcher.take("r") is None
        assert watcher.take("far") is None
        os.utime(lock.path, (0, 0))  # nor do the times of files count
        time.sleep(0.01)
    assert not lock.lost
    lock.release()
    watcher.take("r").release()
