"""The code base before and after: sizes of files and functions, who imports whom, time to a first figure.

    python -m benchmarks.house REVISION

Compares a revision with the working tree, both run by this interpreter, in turns. Writes
results/benchmarks/house.md.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT
from benchmarks.timing import OUT, in_turns, stamp

PACKAGES = ("parscale", "scaling", "sweeps", "analysis")
COMMANDS = {
    "first figure: `parscale figures --only fig2`": ["figures", "--only", "fig2"],
    "`parscale --help`": ["--help"],
}


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without signature and docstring."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


def imports(tree: ast.AST) -> set[str]:
    """Modules that a file names in an import, at any depth."""
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module
    }


def sizes(root: Path) -> dict[str, str]:
    """What can be counted in a tree."""
    files = {path: path.read_text() for name in PACKAGES for path in sorted((root / name).rglob("*.py"))}
    trees = {path: ast.parse(text) for path, text in files.items()}
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [
        body_lines(node) for tree in trees.values() for node in ast.walk(tree) if isinstance(node, kinds)
    ]
    lines = [len(text.splitlines()) for text in files.values()]
    edges: Counter[tuple[str, str]] = Counter()
    for path, tree in trees.items():
        own = path.relative_to(root).parts[0]
        edges.update(
            (own, other) for other in {name.partition(".")[0] for name in imports(tree)} & set(PACKAGES)
        )
    found = {
        "files of the packages, their lines": f"{len(files)}, {sum(lines):,}",
        "lines of a file: median, longest": f"{np.median(lines):.0f}, {max(lines)}",
        "files above 250 lines": str(sum(count > 250 for count in lines)),
        "functions": str(len(bodies)),
        "lines of a body: median, 90th percentile, longest": f"{np.median(bodies):.0f}, "
        f"{np.percentile(bodies, 90):.0f}, {max(bodies)}",
        "bodies above 30 lines": str(sum(count > 30 for count in bodies)),
        "lines of README.md": str(len((root / "README.md").read_text().splitlines())),
    }
    crossing = {pair: count for pair, count in sorted(edges.items()) if pair[0] != pair[1]}
    return found | {f"files of {a} that import {b}": str(count) for (a, b), count in crossing.items()}


def command(root: Path, words: list[str]) -> None:
    """Run `parscale` as it is in a tree."""
    with tempfile.TemporaryDirectory() as folder:
        where = ["--out", folder] if "figures" in words else []
        subprocess.run(
            [sys.executable, "-m", "parscale", *words, *where],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.DEVNULL,
            check=True,
        )


def page(revision: str, before: dict[str, str], after: dict[str, str]) -> str:
    """The page that compares both."""
    about: dict[str, Any] = stamp([{}]).iloc[0].to_dict()
    rows = [f"| {what} | {before.get(what, '0')} | {after[what]} |" for what in after]
    return (
        f"# The house, before and after\n\n`python -m benchmarks.house {revision}`, {about['date']}, "
        f"{about['machine']}, Python {about['python']}. Times are the shortest of five, in turns.\n\n"
        f"| what | {revision} | now |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n"
    )


def main() -> None:
    """Count and time both trees, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision", help="what to compare the working tree with")
    revision = parser.parse_args().revision
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", revision], cwd=ROOT, capture_output=True, check=True
        ).stdout
        subprocess.run(["tar", "xf", "-"], cwd=folder, input=archive, check=True)
        trees = {"before": Path(folder), "after": ROOT}
        found = {name: sizes(root) for name, root in trees.items()}
        works = {
            (name, what): lambda root=root, words=words: command(root, words)
            for what, words in COMMANDS.items()
            for name, root in trees.items()
        }
        for (name, what), seconds in in_turns(works, 5).items():
            found[name][what] = f"{seconds:.2f} s"
    text = page(revision, found["before"], found["after"])
    (OUT / "house.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
