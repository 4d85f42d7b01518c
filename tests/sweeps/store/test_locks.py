"""Locks that survive their owners, whatever the clock says."""

import itertools
import json
import os
import subprocess
import sys
import time

import pytest

from sweeps.store import locks as locks_module
from sweeps.store.locks import Locks

FACTS = {
    "host": locks_module.host(),
    "pid": 2**22 + 1,
    "started": "1",
    "key": "k",
    "count": 4,
}  # no such process


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
    path = store.folder / "locks" / "r" / "1.lock"
    path.parent.mkdir()
    facts = {"host": "elsewhere", "pid": 1, "started": "", "key": "k", "count": 4}
    path.write_text(json.dumps(facts))
    watcher = Locks(store.folder / "locks")
    assert watcher.take("r") is None
    assert not watcher.seen_alive("r")  # it may be dead: nothing is known yet
    now[0] = 50
    path.write_text(json.dumps({**facts, "count": 5}))
    assert watcher.take("r") is None
    assert watcher.seen_alive("r")
    now[0] = 100
    assert watcher.take("r") is None
    now[0] = 111
    lock = watcher.take("r")
    assert lock is not None
    assert watcher.seen_alive("r")
    lock.release()
    assert not watcher.seen_alive("r")


def test_an_owner_learns_that_its_lock_was_taken(store, monkeypatch):
    monkeypatch.setattr(locks_module, "BEAT_S", 0.01)
    lock = Locks(store.folder / "locks").take("r")
    facts = {"host": "elsewhere", "pid": 1, "started": "", "key": "another", "count": 1}
    taken = lock.path.with_name("2.lock")
    taken.write_text(json.dumps(facts))
    lock.join(5)
    assert lock.lost
    lock.release()
    assert json.loads(taken.read_text())["key"] == "another"


def test_a_clock_that_jumps_takes_no_lock_and_gives_none(store, monkeypatch):
    monkeypatch.setattr(locks_module, "BEAT_S", 0.01)
    right, day = time.time, itertools.cycle([-86_400, 86_400])
    monkeypatch.setattr(time, "time", lambda: right() + next(day))
    lock = Locks(store.folder / "locks").take("r")
    facts = {"host": "elsewhere", "pid": 1, "started": "", "key": "k", "count": 4}
    far = store.folder / "locks" / "far" / "1.lock"
    far.parent.mkdir()
    far.write_text(json.dumps(facts))
    watcher = Locks(store.folder / "locks")
    for _ in range(10):
        assert watcher.take("r") is None
        assert watcher.take("far") is None
        os.utime(lock.path, (0, 0))  # nor do the times of files count
        time.sleep(0.01)
    assert not lock.lost
    lock.release()
    watcher.take("r").release()


def test_who_looked_long_ago_takes_nothing_that_a_later_owner_has(store):
    place = store.folder / "locks" / "r"
    place.mkdir()
    for number in (5, 6):  # 1 to 4 came and went since the slow one looked
        (place / f"{number}.lock").write_text(json.dumps(FACTS | {"pid": os.getpid()}))
    slow = locks_module.Lock(place, 1)
    assert not slow.claim()
    assert sorted(path.name for path in place.iterdir()) == ["5.lock", "6.lock"]


RACE = """
import errno, fcntl, sys
from pathlib import Path

def broken(*_):
    if sys.argv[2] == "raises":
        raise OSError(errno.ENOSYS, "Function not implemented")

fcntl.flock = fcntl.lockf = broken
if sys.argv[3] == "no links":
    import os
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")
    os.link = refuse
from sweeps.store.locks import Locks
locks = Locks(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(*[name for name in map(str, range(60)) if locks.take(name)], flush=True)
sys.stdin.readline()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("flock", "links"), [("raises", "links"), ("does nothing", "no links")])
def test_each_lock_goes_to_one_process_where_flock_is_broken(store, flock, links):
    folder = store.folder / "locks"
    for name in map(str, range(0, 60, 2)):  # left by an owner that is dead
        (folder / name).mkdir()
        (folder / name / "1.lock").write_text(json.dumps(FACTS))
    call = [sys.executable, "-c", RACE, str(folder), flock, links]
    racers = [
        subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    won = [racer.stdout.readline().split() for racer in racers]
    for racer in racers:
        racer.communicate("\n", timeout=30)
    assert sorted((name for names in won for name in names), key=int) == [str(n) for n in range(60)]


def test_a_lock_that_is_waited_for_is_had_in_turn(store):
    locks = Locks(store.folder / "locks")
    with locks.hold("gather") as first:
        assert locks.take("gather") is None
        assert first.ours()
    with locks.hold("gather") as second:
        assert second.ours()
    assert list((store.folder / "locks" / "gather").iterdir()) == []
