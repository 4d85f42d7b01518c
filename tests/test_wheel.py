"""The wheel, installed where only the base dependencies are: what it holds, what runs, what it asks for."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.closure import closure

ROOT = Path(__file__).parents[1]
SOURCES = ("parscale", "scaling", "sweeps", "analysis", "tests", "benchmarks")
FILES = ("pyproject.toml", "README.md", "LICENSE")
pytestmark = pytest.mark.slow

# Runs commands one after the other as a terminal would, and says what each ended with.
DRIVER = """
import contextlib, io, json, sys, parscale, scaling
told = []
for argv in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = parscale.main(argv)
        except SystemExit as end:
            code = end.code
    told.append([code, out.getvalue(), err.getvalue()])
print(json.dumps({"told": told, "from": scaling.__file__, "modules": sorted(sys.modules)}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, so that nothing an earlier build left behind is in it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, source)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def places(wheel, tmp_path_factory) -> tuple[Path, Path]:
    """Where the wheel is installed, and a folder of links to all that the base dependencies bring."""
    target, base = tmp_path_factory.mktemp("target"), tmp_path_factory.mktemp("base")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    done = subprocess.run([*install, "--target", str(target), str(wheel)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for found in map(distribution, closure(map(Requirement, stated), here=True)):
        for top in {file.parts[0] for file in found.files} - {"..", "__pycache__"}:
            (base / top).symlink_to(found.locate_file(top))
    return target, base


COMMANDS = {
    "version": ["--version"],
    "help": ["--help"],
    "fit": ["fit", "losses.csv", "--by", "corpus", "--save"],
    "figures": ["figures", "losses.csv", "--only", "fig2"],
    "explore": ["explore", "--no-open", "--out", "page.html"],  # the paper's losses, which the wheel brings
    "cost": ["cost"],
    "plan": ["sweep", "ci", "--dry-run"],
    "paper": ["figures", "--only", "fig2"],
    "sweep": ["sweep", "ci"],
    "demo": ["demo"],
    "generate": ["generate", "folder", "--prompt", "hello"],
    "streams": ["streams", "folder"],
    "corpus": ["corpus", "stdlib"],
    "ray": ["sweep", "ci", "--launcher", "ray"],
    "hf": ["sweep", "ci", "--logger", "tensorboard"],
}
WORK = ("fit", "figures", "explore", "cost", "plan")
TORCH = ("sweep", "demo", "generate", "streams", "corpus")


@pytest.fixture(scope="module")
def used(places, tmp_path_factory) -> dict[str, object]:
    """What each command ended with, run in a folder that holds one table."""
    away = tmp_path_factory.mktemp("away")
    shutil.copy(ROOT / "results/published/losses.csv", away)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    env |= {"PYTHONPATH": os.pathsep.join(map(str, places)), "PARSCALE_CACHE": str(away / "cache")}
    call = [sys.executable, "-S", "-c", DRIVER, json.dumps(list(COMMANDS.values()))]
    done = subprocess.run(call, cwd=away, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    return said | {"told": dict(zip(COMMANDS, said["told"], strict=True)), "away": away}


def test_the_wheel_holds_the_packages_and_their_data_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (archive.read(n).decode() for n in archive.namelist() if n.endswith("/METADATA"))
        (scripts,) = (archive.read(n).decode() for n in archive.namelist() if n.endswith("/entry_points.txt"))
    tracked = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                             cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()  # fmt: skip
    wanted = {
        n
        for n in tracked
        if n.startswith(("parscale/", "scaling/", "sweeps/", "analysis/")) and (ROOT / n).exists()
    }
    assert held == wanted
    assert {"sweeps/data/code-small.txt", "analysis/explorer/page.html", "analysis/explorer/app.js"} <= held
    assert "parscale = parscale.cli.main:main" in scripts
    assert re.search(r"^License-Expression: Apache-2.0$", metadata, re.M)
    assert not re.search(r"^Requires-Dist: (torch|lightning|ray|datasets)\b(?!.*extra ==)", metadata, re.M)


@pytest.mark.parametrize("name", WORK)
def test_fitting_drawing_and_planning_need_the_base_alone(used, name):
    code, out, err = used["told"][name]
    assert (code, err) == (0, "")
    assert out


def test_it_is_the_wheel_that_ran_and_nothing_heavy_was_there(used, places):
    assert Path(used["from"]).is_relative_to(places[0])
    assert not {"torch", "lightning", "ray", "tokenizers", "tests"} & set(used["modules"])


def test_what_was_made_is_there(used):
    away = used["away"]
    assert len(list((away / "results/fits").glob("parallel-*.json"))) == 2
    assert (away / "figures/fig2.png").stat().st_size > 10_000
    assert "const Chart" in (away / "page.html").read_text()


def test_help_and_version(used):
    assert used["told"]["help"][:1] == [0]
    assert re.fullmatch(r"parscale \d+\.\d+\.\d+\n", used["told"]["version"][1])


@pytest.mark.parametrize("name", TORCH)
def test_training_says_in_one_line_which_extra_to_install(used, name):
    code, out, err = used["told"][name]
    assert (code, out) == (2, "")
    assert re.fullmatch(r"parscale \w+: \w+ is not installed: pip install 'parscale\[train\]'\n", err)


def test_a_launcher_and_a_logger_name_what_they_need(used):
    assert used["told"]["ray"][2].endswith("ray is not installed: pip install 'parscale[cluster]'\n")
    assert used["told"]["hf"][2].endswith("tensorboard is not installed: pip install 'parscale[tb]'\n")


def test_the_papers_tables_are_named_where_they_are_missing(used):
    code, _, err = used["told"]["paper"]
    assert code == 2
    assert "results/published/losses.csv" in err
    assert len(err.splitlines()) == 1
