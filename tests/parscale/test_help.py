"""The help of every command: examples that its parser takes, and a line that says what it does."""

import shlex

import pytest

import parscale
from parscale.cli import examples
from parscale.cli.main import COMMANDS


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_examples_that_can_be_called(command, capsys):
    for line in examples.LINES[command]:
        assert parscale.build_parser().parse_args(shlex.split(line)).command == command
    with pytest.raises(SystemExit):
        parscale.main([command, "--help"])
    out = capsys.readouterr().out
    assert all(f"  parscale {line}\n" in out for line in examples.LINES[command])


def test_the_list_says_what_demo_and_reproduce_do():
    told = " ".join(parscale.build_parser().format_help().split())
    assert "Train the demo grid on this machine, fit the law, draw it" in told
    assert "fits, tables and figures, and audit its claims" in told
