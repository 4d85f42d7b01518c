"""What SECURITY.md says of pins and of code, held without a network."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.closure import closure

ROOT = Path(__file__).parents[1]
CODE = sorted(p for d in ("scaling", "sweeps", "analysis", "benchmarks") for p in (ROOT / d).rglob("*.py"))
LINES = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] not in ("", "#")]
PINS = {canonicalize_name(line.partition("==")[0]): line.partition("==")[2] for line in LINES}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
STATED = [
    Requirement(text)
    for group in (
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
        PROJECT["build-system"]["requires"],
    )
    for text in group
]
SET_UP = {"pip"}  # pinned for the set-up itself
MALICIOUS = dict.fromkeys(("lightning", "pytorch-lightning"), ("2.6.2", "2.6.3"))


def test_every_pin_is_exact():
    assert len(LINES) > 100
    for line in LINES:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==\d[\w.]*", line), line
    assert len(PINS) == len(LINES), "a package is pinned twice"


def test_what_the_project_asks_for_is_what_is_pinned():
    for wanted in STATED:
        if wanted.name != "parscale":
            assert PINS[canonicalize_name(wanted.name)] in wanted.specifier, wanted


def test_malicious_releases_are_neither_pinned_nor_allowed():
    for name, versions in MALICIOUS.items():
        assert PINS[name] not in versions
    (wanted,) = [stated for stated in STATED if stated.name == "lightning"]
    assert not [version for version in MALICIOUS["lightning"] if version in wanted.specifier]


def test_everything_that_is_needed_is_pinned():
    assert closure(STATED, here=True) <= PINS.keys()


def test_nothing_is_pinned_that_nothing_needs():
    assert PINS.keys() - closure(STATED, here=False) == SET_UP


UNSAFE = {
    "import pickle\npickle.load(open('x', 'rb'))": "S301",
    "import pandas as pd\npd.read_pickle('x')": "S301",
    "import shelve\nshelve.open('x')": "S301",
    "import marshal\nmarshal.loads(b'')": "S302",
    "import cloudpickle": "TID251",
    "import numpy as np\nnp.load('x', allow_pickle=True)": "TID251",
    "import yaml\nyaml.load('x', Loader=yaml.Loader)": "S506",
    "import yaml\nyaml.unsafe_load('x')": "TID251",
    "eval('1')": "S307",
    "exec('1')": "S102",
    "import runpy": "TID251",
    "import subprocess\nsubprocess.run('x', shell=True)": "S602",
    "import os\nos.system('x')": "S605",
    "import tarfile\ntarfile.open('x').extractall('y')": "S202",
    "import tempfile\ntempfile.mktemp()": "S306",
}


def test_the_linter_refuses_what_is_promised_not_to_be_there(tmp_path):
    rules = {}
    for number, (code, rule) in enumerate(UNSAFE.items()):
        (tmp_path / f"new_{number}.py").write_text(code)
        rules[f"new_{number}.py"] = rule
    call = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "json"]
    call += ["--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
    said = subprocess.run(call, capture_output=True, text=True)
    refused = {(Path(fault["filename"]).name, fault["code"]) for fault in json.loads(said.stdout)}
    assert refused >= set(rules.items())


def test_only_grid_files_are_excused():
    excused = {path.name for path in CODE if re.search(r"noqa: .*(S\d{3}|TID251)", path.read_text())}
    assert excused == {"grids.py"}


def calls(name: str) -> Iterator[ast.Call]:
    """Every call of a function or method of that name, with its module if the name has one."""
    for text in (text for path in CODE if name.rpartition(".")[2] in (text := path.read_text())):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called == name or called.endswith(f".{name}"):
                    yield node


def test_torch_loads_tensors_and_plain_values_alone():
    found = list(calls("torch.load"))
    assert found
    for call in found:
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert given.get("weights_only") == "True"


def test_no_archive_is_unpacked_to_disk():
    for name in ("extractall", "extract", "unpack_archive"):
        assert not [ast.unparse(call) for call in calls(name)]
