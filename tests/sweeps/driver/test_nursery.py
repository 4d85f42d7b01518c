"""Children forked from a process that has imported once: what they say, how they stop, what deaths leave."""

import time

import pytest

from sweeps.driver.nursery import Nursery

CHILDREN = '''
"""Imported once a nursery."""
import os
import sys
import time

BORN = os.getpid()


def recite(text, stop, say):
    for number in range(50):
        say({"text": text * 3000, "number": number, "born": BORN, "mood": os.environ.get("MOOD")})
    return 7


def where(text, stop, say):
    say(os.getcwd())
    return 0


def wait(text, stop, say):
    print("waits")
    say("ready")
    while not stop():
        time.sleep(0.01)
    with open(text, "w") as file:
        file.write("stopped")
    return 0


def deaf(text, stop, say):
    say("ready")
    while True:
        time.sleep(1)
'''


@pytest.fixture
def nursery(tmp_path, monkeypatch):
    (tmp_path / "children.py").write_text(CHILDREN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Nursery("children", {}, tmp_path / "log") as nursery:
        yield nursery


def until(true, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.01)


def test_long_words_of_several_children_stay_whole(nursery):
    children = [nursery.start("children:recite", letter, MOOD=letter) for letter in "ab\n"]
    until(lambda: not nursery.look())
    for child, letter in zip(children, "ab\n", strict=True):
        assert child.code == 7
        assert [said["number"] for said in child.said] == list(range(50))
        assert {(said["text"], said["mood"]) for said in child.said} == {(letter * 3000, letter)}
        assert {said["born"] for said in child.said} == {nursery.process.pid}


@pytest.mark.parametrize("how", ["told", "nursery killed", "nursery closed"])
def test_children_stop_when_told_and_when_the_nursery_is_gone(nursery, tmp_path, how):
    child = nursery.start("children:wait", str(tmp_path / "end"))
    until(lambda: nursery.look() and child.said)
    if how == "told":
        nursery.end(20.0)
        assert child.code == 0
    elif how == "nursery killed":
        nursery.process.kill()
        until(lambda: not nursery.look())
        assert child.code == -9
    else:
        nursery.close()
    until((tmp_path / "end").exists)
    assert (tmp_path / "log").read_text() == "waits\n"


def test_children_start_where_they_are_told(tmp_path, monkeypatch):
    (tmp_path / "children.py").write_text(CHILDREN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "there").mkdir()
    with Nursery("children", {}, cwd=tmp_path / "there") as nursery:
        child = nursery.start("children:where", "")
        until(lambda: not nursery.look())
    assert child.said == [str(tmp_path / "there")]


def test_a_deaf_child_is_killed(nursery):
    child = nursery.start("children:deaf", "")
    until(lambda: nursery.look() and child.said)
    nursery.end(0.2)
    assert child.code == -9


def test_a_dead_nursery_is_opened_again(nursery, tmp_path):
    nursery.process.kill()
    nursery.process.wait()
    child = nursery.start("children:recite", "a")
    until(lambda: not nursery.look())
    assert child.code == 7


def test_a_module_that_is_not_there_ends_the_children_with_its_error(tmp_path):
    with Nursery("no_such_module", {}, tmp_path / "log") as nursery:
        child = nursery.start("no_such_module:serve", "")
        until(lambda: not nursery.look())
    assert child.code == 1
    assert "No module named 'no_such_module'" in (tmp_path / "log").read_text()
