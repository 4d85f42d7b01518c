"""No dead option: what a command's parser takes is read by the package that does its work."""

import ast
from pathlib import Path

import pytest

import parscale
from parscale.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]


def read_of(function: ast.FunctionDef) -> set[str]:
    """Options that a function takes from `args`: args.X, getattr(args, "X"), count(args, "x-y")."""
    found, any_of = set(), False
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "args":
            found.add(node.attr)
        if isinstance(node, ast.Call) and node.args and ast.unparse(node.args[0]) == "args":
            found |= {one.value for one in node.args[1:2] if isinstance(one, ast.Constant)}
            any_of |= ast.unparse(node.func) == "getattr" and not isinstance(node.args[1], ast.Constant)
    if any_of:  # getattr(args, name): the names are among the function's texts
        found |= {one.value for one in ast.walk(function) if isinstance(one, ast.Constant)}
    return {one.replace("-", "_") for one in found if isinstance(one, str)}


def read_in(path: Path) -> set[str]:
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)]
    return set().union(*map(read_of, functions))


@pytest.fixture(scope="module")
def read() -> dict[str, set[str]]:
    """Options read, by package."""
    by = {
        p: set().union(*map(read_in, (ROOT / p).rglob("*.py")))
        for p in ("parscale", "scaling", "sweeps", "analysis")
    }
    return by | {"parscale": by["parscale"] | by["sweeps"]}  # the demo trains


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_option_is_read(command, read):
    (commands,) = parscale.build_parser()._subparsers._group_actions
    package = COMMANDS[command][0].partition(":")[0].partition(".")[0]
    taken = {action.dest for action in commands.choices[command]._actions} - {"help"}
    assert taken - read[package] == set()


def test_an_option_that_nothing_reads_would_be_found():
    (function,) = ast.parse('def f(args):\n    "only"\n    return args.out, count(args, "num-nodes")').body
    assert read_of(function) == {"out", "num_nodes"}
