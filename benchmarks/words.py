"""How plain the prose is: odd words and semicolons per 1,000 words, by group of files.

    python -m benchmarks.words           print the table
    python -m benchmarks.words --list    print every line with an odd word as well

An odd word is one that papers and documentation of the field do not use. Code blocks, inline code, tables, links,
regular expressions and templates of HTML, CSS or JavaScript are not prose and are left out. So are the parts of a page
between marks that a command writes. Messages are the strings of code with more than three words.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import ROOT

MOST_ODD, MOST_SEMICOLONS = 0.5, 3.0  # per 1,000 words; six model projects have 0 to 0.5 and 0.3 to 2.3
CODE = ("parscale", "scaling", "sweeps", "analysis", "benchmarks")
GROUPS = {
    "README": ("README.md",),
    "CHANGELOG": ("CHANGELOG.md",),
    "CONTRIBUTING": ("CONTRIBUTING.md",),
    "docs": ("docs/**/*.md",),
    "results/README": ("results/README.md",),
    "code": tuple(f"{package}/**/*.py" for package in CODE),
    "tests": ("tests/**/*.py",),
}
ODD = re.compile(
    r"\b(afresh|aforesaid|albeit|alike|amid|amidst|amongst|anew|apiece|aright|asunder|aught|bade|befall\w*"
    r"|beget\w*|beside|besides|bespeak\w*|betimes|bids|dearer|ere|foretell\w*|foretold|forgo\w*|forsake\w*"
    r"|forthwith|hearken|heed\w*|hence|henceforth|hereby|herein|hither|hitherto|inasmuch|lest|likewise|mend"
    r"|mended|mending|mends|mourn\w*|naught|nay|nigh|nought|oft|ought|reckon\w*|seldom|shan't|sooner|stand"
    r"|stands|stood|sundry|thence|thereby|therein|thereof|therewith|thither|thrice|told|twain|unto|untold|upon"
    r"|verily|whence|whereby|wherefrom|wherein|whereof|whilst|whither|wholly|wont|yonder|for\s+granted"
    r"|tell\s+apart)\b",
    re.IGNORECASE,
)
WRITTEN = re.compile(
    r"<!-- (?!end\b)(?:begin: )?[^>]*-->.*?<!-- end\b.*?-->|^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE
)
GENERATED = "<!-- Written by"  # begins a page that is made whole from the code
NOT_PROSE = re.compile(
    r"^\s*(?:\||>>> |\$ ).*|`[^`\n]*\n?[^`\n]*`|(?<=\])\([^)]*\)|</?[a-zA-Z!][^>\n]*>|&#?\w+;", re.MULTILINE
)
TOKEN = re.compile(
    r"""(\"{3}|'{3}|["'])(?:\\.|[^\\])*?\1|(?P<comment>#[^\n]*)""", re.DOTALL
)  # a string, or a comment
TEMPLATE = re.compile(r"[{}\\]|</?[a-z]\w*|[\w)]\s*[=:]\s*\S+;|\(\);")


class Rate(NamedTuple):
    """What a group of files holds."""

    words: int
    odd: float  # per 1,000 words
    semicolons: float  # per 1,000 words


def blank(found: re.Match[str]) -> str:
    """The line breaks of what is left out, so that lines keep their numbers."""
    return "\n" * found[0].count("\n") or " "


def markdown(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers and prose of a page."""
    prose = NOT_PROSE.sub(blank, WRITTEN.sub(blank, text))
    yield from enumerate(prose.splitlines(), 1)


def python(text: str) -> Iterator[tuple[int, str]]:
    """Line numbers and prose of a module: docstrings, comments and messages."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = list(ast.walk(ast.parse(text)))
    docstrings = {
        id(n.body[0].value)
        for n in nodes
        if isinstance(n, owners) and n.body and isinstance(n.body[0], ast.Expr)
    }
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) in docstrings or (len(node.value.split()) > 3 and not TEMPLATE.search(node.value)):
            yield from enumerate(NOT_PROSE.sub(blank, node.value).splitlines(), node.lineno)
    for found in TOKEN.finditer(text):
        if comment := found["comment"]:
            yield text.count("\n", 0, found.start()) + 1, NOT_PROSE.sub(blank, comment.lstrip("# "))


def prose(group: str) -> Iterator[tuple[str, int, str]]:
    """File, line number and text of every line of prose of a group."""
    for path in sorted({path for pattern in GROUPS[group] for path in ROOT.glob(pattern)}):
        text = path.read_text(encoding="utf-8")
        if GENERATED in text:
            continue
        for number, line in markdown(text) if path.suffix == ".md" else python(text):
            yield str(path.relative_to(ROOT)), number, line


def rate(group: str) -> Rate:
    """Words of a group, and how many odd words and semicolons there are per 1,000 of them."""
    text = "\n".join(line for _, _, line in prose(group))
    words = len(re.findall(r"[A-Za-z][A-Za-z'-]*", text))
    return Rate(words, 1000 * len(ODD.findall(text)) / words, 1000 * text.count(";") / words)


def main() -> None:
    """Print the table, and the lines if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--list", action="store_true", help="print every line with an odd word: file:line: text"
    )
    if parser.parse_args().list:
        for file, number, line in (found for group in GROUPS for found in prose(group)):
            if ODD.search(line):
                print(f"{file}:{number}: {line.strip()}")
    print(f"{'group':16}{'words':>8}{'odd':>7}{'semicolons':>12}   per 1,000 words")
    for group in GROUPS:
        words, odd, semicolons = rate(group)
        print(f"{group:16}{words:8,}{odd:7.2f}{semicolons:12.2f}")
    print(f"{'at most':16}{'':8}{MOST_ODD:7.2f}{MOST_SEMICOLONS:12.2f}")


if __name__ == "__main__":
    main()
