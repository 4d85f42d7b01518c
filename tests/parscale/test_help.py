"""The help of every command: examples that its parser takes, and a line that says what it does."""

import shlex

import pytest

import parscale
from parscale.cli.main import GROUP_OF, GROUPS, command_module


@pytest.mark.parametrize("command", list(GROUP_OF))
def test_every_command_has_examples_that_can_be_called(command, capsys):
    examples = command_module(command).EXAMPLES
    for line in examples:
        assert parscale.build_parser().parse_args(shlex.split(line)).command == command
    with pytest.raises(SystemExit):
        parscale.main([command, "--help"])
    out = capsys.readouterr().out
    assert out.startswith(f"usage: parscale {command} [-h]")
    assert all(f"  parscale {line}\n" in out for line in examples)


def test_the_help_lists_every_command_in_its_group():
    listed = parscale.build_parser(()).format_help()
    for group, commands in GROUPS.items():
        part = listed[listed.index(f"\n{group}:\n") :].split("\n\n")[0]
        assert [line.split()[0] for line in part.strip().splitlines()[1:]] == list(commands)
    assert max(map(len, listed.splitlines())) <= 88


@pytest.mark.parametrize("command", list(GROUP_OF))
def test_the_options_of_one_command_are_those_of_the_whole_parser(command):
    words = shlex.split(command_module(command).EXAMPLES[0])
    assert parscale.build_parser([command]).parse_args(words) == parscale.build_parser().parse_args(words)
