"""Children of a process pool: the values they send, how they stop, what deaths leave."""

import os
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

from sweeps.driver import process_pool
from sweeps.driver.process_pool import ProcessPool

ROOT = Path(__file__).parents[3]
STOPS = ("SIGTERM", "SIGINT", "SIGUSR2")
CHILDREN = '''
"""Imported once a server."""
import atexit
import os
import time

IMPORTED_BY = os.getpid()


def recite(text, stop, send):
    atexit.register(print, "at exit")
    for number in range(50):
        send({"text": text * 3000, "number": number, "by": IMPORTED_BY, "mood": os.environ.get("MOOD")})
    return 7


def where(text, stop, send):
    send(os.getcwd())
    return 0


def wait(text, stop, send):
    print("waits", flush=True)
    send("ready")
    while not stop():
        time.sleep(0.01)
    with open(text, "w") as file:
        file.write("stopped")
    return 0


def deaf(text, stop, send):
    send("ready")
    while True:
        time.sleep(1)
'''
UNGUARDED = """
import sys, time
from pathlib import Path
from sweeps.driver.process_pool import ProcessPool

print("main")
pool = ProcessPool("children", {}, Path("log"))
child = pool.start("children:wait", "end")
while not child.received:
    pool.look()
    time.sleep(0.01)
print(child.process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def new_server():
    """The process's fork server starts in this test and ends with it."""
    forkserver._forkserver._stop()
    yield
    forkserver._forkserver._stop()


@pytest.fixture
def pool(tmp_path, monkeypatch, new_server):
    (tmp_path / "children.py").write_text(CHILDREN)
    monkeypatch.syspath_prepend(tmp_path)
    with ProcessPool("children", {}, tmp_path / "log") as pool:
        yield pool
        pool.end(0.0)


def server():
    """The process that children are forked from."""
    return psutil.Process(forkserver._forkserver._forkserver_pid)


def until(true, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.01)


def assert_recited(children, letters):
    for child, letter in zip(children, letters, strict=True):
        assert child.code == 7
        assert [value["number"] for value in child.received] == list(range(50))
        assert {(value["text"], value["mood"]) for value in child.received} == {(letter * 3000, letter)}


@pytest.mark.slow
def test_long_values_of_several_children_stay_whole(pool, tmp_path):
    children = [pool.start("children:recite", letter, MOOD=letter) for letter in "ab\n"]
    until(lambda: not pool.look())
    assert_recited(children, "ab\n")
    assert {value["by"] for child in children for value in child.received} == {server().pid}
    assert (tmp_path / "log").read_text() == "at exit\n" * 3


def test_where_no_server_can_start_children_import_for_themselves(pool, monkeypatch):
    def refuse():
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(forkserver, "ensure_running", refuse)
    children = [pool.start("children:recite", letter, MOOD=letter) for letter in "ab"]
    until(lambda: not pool.look())
    assert_recited(children, "ab")
    assert [child.received[0]["by"] for child in children] == [child.process.pid for child in children]


def test_children_stop_when_asked(pool, tmp_path):
    asked = {how: pool.start("children:wait", str(tmp_path / how)) for how in ("end", *STOPS)}
    until(lambda: pool.look() and all(child.received for child in asked.values()))
    for how in STOPS:
        os.kill(asked[how].process.pid, getattr(signal, how))
        until(lambda: pool.look() and asked[how].code is not None)  # noqa: B023 -- called in this turn
    assert asked["end"].code is None
    pool.end(20.0)
    assert {how: (child.code, (tmp_path / how).exists()) for how, child in asked.items()} == dict.fromkeys(
        asked, (0, True)
    )
    assert (tmp_path / "log").read_text() == "waits\n" * 4


def test_a_stop_before_the_child_has_begun_is_not_lost(pool, tmp_path):
    child = pool.start("children:wait", str(tmp_path / "end"))
    pool.end(20.0)
    assert child.code == 0
    assert (tmp_path / "end").exists()


def test_a_script_without_a_guard_runs_once_and_its_children_stop_when_it_is_killed(tmp_path):
    (tmp_path / "children.py").write_text(CHILDREN)
    (tmp_path / "script.py").write_text(UNGUARDED)
    driver = subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert driver.stdout.readline() == "main\n"
    child = psutil.Process(int(driver.stdout.readline()))
    below = psutil.Process(driver.pid).children(recursive=True)
    assert child in below
    driver.kill()
    driver.communicate()
    until((tmp_path / "end").exists)
    psutil.wait_procs(below, timeout=20)
    assert not any(process.is_running() for process in below)
    assert (tmp_path / "log").read_text() == "waits\n"


def test_children_outlive_their_server_and_still_stop_when_asked(pool, tmp_path):
    child = pool.start("children:wait", str(tmp_path / "end"))
    until(lambda: pool.look() and child.received)
    server().kill()
    until(lambda: child.process.exitcode == process_pool.SERVER_DIED)
    assert pool.look()
    another = pool.start("children:recite", "a", MOOD="a")  # of another server
    until(lambda: pool.look() and another.code is not None)
    assert_recited([another], "a")
    pool.end(20.0)
    assert child.code == process_pool.SERVER_DIED
    assert (tmp_path / "end").exists()


def test_signals_to_the_whole_group_do_not_end_the_server(pool, tmp_path):
    pool.start("children:recite", "a", MOOD="a")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
        server().send_signal(number)
    child = pool.start("children:recite", "a", MOOD="a")
    until(lambda: not pool.look())
    assert_recited([child], "a")
    assert child.received[0]["by"] == server().pid


def test_children_start_where_they_are_told(pool, tmp_path):
    (tmp_path / "there").mkdir()
    pool.cwd = tmp_path / "there"
    child = pool.start("children:where", "")
    until(lambda: not pool.look())
    assert child.received == [str(tmp_path / "there")]


def test_a_deaf_child_is_killed(pool):
    child = pool.start("children:deaf", "")
    until(lambda: pool.look() and child.received)
    pool.end(0.2)
    assert child.code == -signal.SIGKILL


@pytest.mark.parametrize("fault", ["", "raise RuntimeError('broken')"])
def test_a_module_that_cannot_be_imported_ends_the_children_with_its_error(
    new_server, tmp_path, monkeypatch, fault
):
    if fault:
        (tmp_path / "no_such_module.py").write_text(fault)
        monkeypatch.syspath_prepend(tmp_path)
    with ProcessPool("no_such_module", {}, tmp_path / "log") as pool:
        child = pool.start("no_such_module:serve", "")
        until(lambda: not pool.look())
    assert child.code == 1
    error = "RuntimeError: broken" if fault else "No module named 'no_such_module'"
    assert error in (tmp_path / "log").read_text()
