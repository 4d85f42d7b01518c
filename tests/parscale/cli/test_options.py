"""Options are fields: no dead option, no field without a type, and what argparse leaves is what the class says."""

import ast
import inspect
from argparse import ArgumentParser
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path

import pytest

from parscale.cli.main import GROUP_OF, command_module
from parscale.cli.options import add_options, argument, option, read_options, required, switch
from parscale.cli.train.sweep_options import AS_GIVEN

CLI = Path(__file__).parents[3] / "parscale" / "cli"
OWNERS = ("self", "options")  # names under which an options object is read


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    """Everything a file says."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def read_in(path: Path) -> set[str]:
    """Attributes of an options object that a file reads."""
    nodes = [node for node in nodes_of(path) if isinstance(node, ast.Attribute)]
    return {node.attr for node in nodes if isinstance(node.value, ast.Name) and node.value.id in OWNERS}


def files_of(command: str) -> set[Path]:
    """A command's file and those of the command line that it imports, at any depth."""
    found, left = set(), [Path(command_module(command).__file__)]
    while left:
        path = left.pop()
        found.add(path)
        for node in nodes_of(path):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("parscale.cli"):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                files = [CLI.parents[1] / f"{name.replace('.', '/')}.py" for name in names]
                left += [file for file in files if file.is_file() and file not in found]
    return found


@pytest.mark.parametrize("command", list(GROUP_OF))
def test_every_option_is_read(command):
    read = set(AS_GIVEN).union(*map(read_in, files_of(command)))
    assert {one.name for one in fields(command_module(command).Options)} - read == set()


@pytest.mark.parametrize("command", list(GROUP_OF))
def test_options_are_typed_frozen_and_hold_their_defaults(command):
    options = command_module(command).Options
    assert options.__dataclass_params__.frozen
    parser = ArgumentParser()
    add_options(parser, options)
    types = {action.dest: action.type for action in parser._actions}
    for one in fields(options):
        assert isinstance(one.type, str)
        if one.default is not MISSING:
            assert parser.get_default(one.name) in (one.default, None)
        if "int" in one.type.split(" | ") or "float" in one.type.split(" | "):
            assert types[one.name].__name__ in one.type


def test_a_field_says_all_that_argparse_needs():
    @dataclass(frozen=True, kw_only=True)
    class Some:
        files: tuple[str, ...] = argument("files", nargs="*")
        one: int = option(3, "a number", type=int)
        other: str = option("x", "a word", "--word", "-w")
        on: bool = switch("a switch")
        name: str = required("a name")
        at: str | None = option(None, "points", metavar="AXIS=X,...")

    parser = ArgumentParser()
    add_options(parser, Some)
    given = read_options(Some, parser.parse_args(["a", "b", "--one", "5", "-w", "y", "--on", "--name", "n"]))
    assert given == Some(files=("a", "b"), one=5, other="y", on=True, name="n")
    assert read_options(Some, parser.parse_args(["--name", "n"])) == Some(name="n")
    twice = parser.parse_args(["--name", "n", "--at", "N=1,2", "--at", "P=4"])
    assert read_options(Some, twice).at == "N=1,2,P=4"
    with pytest.raises(SystemExit):
        parser.parse_args([])


def test_an_option_that_nothing_reads_would_be_found(tmp_path):
    text = inspect.cleandoc("""
        def run(options):
            other.time
            return options.out
    """)
    (tmp_path / "some.py").write_text(text)
    assert read_in(tmp_path / "some.py") == {"out"}
