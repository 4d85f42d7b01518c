"""The description of a table as text of any width, as a shell command and as plain values."""

import json
import shlex

import pytest

import scaling
from scaling.selection.description import KEY, as_dict, description_html, shell


@pytest.fixture(scope="module")
def one(losses):
    return scaling.describe(losses[losses.corpus == "pile"])


@pytest.mark.parametrize("room", [60, 80, None])
def test_text_keeps_within_its_room(one, room):
    lines = one.text(room).splitlines()
    assert room is None or max(map(len, lines)) <= room
    assert all(line[:KEY].strip() for line in one.text(None).splitlines())


def test_a_long_command_is_broken_as_a_shell_takes_it():
    command = "parscale fit 'my runs.csv' --by corpus --law additive --objective least-squares"
    broken = shell(command, 40)
    assert " \\\n" in broken
    assert shlex.split(broken.replace("\\\n", "")) == shlex.split(command)
    assert shell("scaling.fit(law, table)", 10) == "scaling.fit(law, table)"


def test_plain_values_and_html_hold_the_verdict(one):
    plain = json.loads(json.dumps(as_dict(one), default=str))
    assert plain["rows"] == 24
    assert plain["verdict"] == one.verdict
    assert len(plain["levels"]["N"]) == 6
    assert "<table>" in description_html(one)
