"""The `parscale` command as a user meets it: what it prints, what it refuses, with which exit code."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib

import pandas as pd
import pytest

import parscale
from parscale.cli.main import GROUP_OF, GROUPS, command_module, tune_process
from tests.parscale.commands import ROOT, run

LOSSES = str(ROOT / "results/published/losses.csv")
PILE = str(ROOT / "results/fits/parallel-pile.json")
GOOD = "N,P,loss\n" + "\n".join(
    f"{N},{P},{1.5 + (2e6 / (N * (1 + 0.4 * P))) ** 0.3:.4f}" for N in (1e7, 4e7, 2e8) for P in (1, 2, 4)
)


@pytest.mark.slow
def test_fit_prints_the_two_published_optima(tmp_path, capsys):
    code, out, _ = run(
        "fit",
        LOSSES,
        "--law",
        "parallel",
        "--by",
        "corpus",
        "--out",
        str(tmp_path),
        "--details",
        capsys=capsys,
    )
    assert code == 0
    stack, pile = out.split("== pile ==")
    for text in ("0.6912", "1.131e+07", "0.3935", "0.1894", "0.9978", "converged"):
        assert text in stack
    for text in ("1.2886", "1.975e+08", "0.3344", "0.1963", "0.9987", "stopped short"):
        assert text in pile
    assert {p.name for p in (tmp_path / "fits").iterdir()} == {
        "parallel-pile.json",
        "parallel-stack-v2-python.json",
    }


@pytest.mark.slow
def test_fit_json_and_predict(tmp_path, capsys):
    code, out, _ = run("fit", LOSSES, "--by", "corpus", "--json", "--out", str(tmp_path), capsys=capsys)
    assert code == 0
    assert json.loads(out)["pile"]["parameters"]["k"] == pytest.approx(0.33444, abs=1e-5)
    saved = str(tmp_path / "fits/parallel-stack-v2-python.json")
    code, out, _ = run("predict", saved, "--N", "2.8B", "--P", "4", capsys=capsys)
    assert code == 0
    sizes = ("N = 4.33B at P = 1 (", "3.4B at P = 2", "2.38B at P = 8")
    for text in ("loss 1.0155", *sizes):
        assert text in out


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace("P,loss", "P,los"), ["'loss'", "--columns loss="]),
        (lambda t: t.replace("10000000.0,1,", "10000000.0,1,nan #"), ["row 1", "loss"]),
        (lambda t: t.replace("10000000.0,2,", "-3,2,"), ["row 2", "column N", "-3"]),
        (lambda t: t.replace("40000000.0,1,", "40000000.0,0.5,"), ["row 4", "column P", "0.5", ">= 1"]),
        (lambda t: t.replace("40000000.0,1,", "4e7,1.5,"), ["row 4 (line 5)", "P: 1.5"]),
        (lambda t: t.replace("40000000.0,1,", "many,1,"), ["row 4", "column N", "'many'"]),
        (lambda t: "\n".join(t.splitlines()[:4]), ["3 ", "4 "]),
        (lambda t: "N,P,loss\n", []),
    ],
)  # fmt: skip
def test_fit_refuses_bad_tables_in_one_line(tmp_path, capsys, change, says):
    path = tmp_path / "runs.csv"
    path.write_text(change(GOOD))
    code, out, err = run("fit", str(path), "--out", str(tmp_path), capsys=capsys)
    assert code == 2
    assert not out
    assert len(err.splitlines()) == 1
    for text in says:
        assert text in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("fit", "nowhere.csv"), "nowhere.csv"),
        (("fit", LOSSES, "--law", "quadratic"), "'quadratic'"),
        (("fit", LOSSES, "--by", "colour"), "--by colour"),
        (("fit", LOSSES, "--where", "corpus=latin"), "pile"),
        (("fit", LOSSES, "--columns", "N"), "--columns"),
        (("sweep", "weekend"), "'weekend'"),
        (("sweep", "demo", "--streams", "two"), "--streams"),
        (("sweep", "demo", "--sizes", "huge"), "huge"),
        (("sweep", "demo", "--corpora", "latin"), "latin"),
        (("status", "nothing-here"), "nothing-here"),
        (("figures", "--only", "fig99"), "fig99"),
        (("predict", LOSSES, "--N", "1e9"), LOSSES),
        (("predict", PILE, "--N", "1e9", "--P", "1.5"), "--P 1.5"),
        (("advise", "--fit", "nowhere.json", "--memory", "4"), "'4'"),
        (("streams", str(ROOT / "results/demo"), "--tokens", "-3"), "--tokens -3"),
        (("corpus", "stdlib", "--vocab", "3"), "BPE"),
    ],
)  # fmt: skip
def test_mistakes_in_the_call_get_one_line_and_exit_code_2(argv, says, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PARSCALE_CACHE", str(tmp_path / "cache"))
    out = ("--out", str(tmp_path)) if argv[0] in ("fit", "sweep", "figures") else ()
    code, _, err = run(*argv, *out, capsys=capsys)
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert says in err


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    code, _, err = run("fit", LOSSES, "--by", "corpus", "--out", str(tmp_path / "file"), capsys=capsys)
    assert code in (1, 2)
    assert "file" in err
    assert len(err.splitlines()) == 1


def test_a_call_without_a_command_shows_what_there_is(capsys):
    code, out, err = run(capsys=capsys)
    assert (code, err) == (2, "")
    assert "parscale fit" in out


def test_the_version_is_the_projects(capsys):
    with pytest.raises(SystemExit) as end:
        parscale.main(["--version"])
    assert end.value.code == 0
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert capsys.readouterr().out == f"parscale {stated}\n"
    assert f"\nversion: {stated}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize(
    ("module", "install"),
    [
        ("torch", "parscale[train]"),
        ("ray", "parscale[cluster]"),
        ("datasets", "parscale[hf]"),
        ("pandas", "pandas"),
        ("x", "x"),
    ],
)
def test_a_package_that_is_not_there_is_named_with_what_brings_it(capsys, monkeypatch, module, install):
    def absent(options: object) -> None:
        raise ModuleNotFoundError(f"No module named '{module}.part'", name=f"{module}.part")

    monkeypatch.setattr("parscale.cli.train.demo_command.run", absent)
    code, _, err = run("demo", capsys=capsys)
    assert code == 2
    assert re.fullmatch(rf"parscale demo: {module}\b.*: pip install '{re.escape(install)}'\n", err)


def test_dry_run_lists_the_papers_48_runs(capsys):
    code, out, _ = run("sweep", "paper", "--dry-run", capsys=capsys)
    assert code == 0
    assert "48 runs" in out
    counts = pd.read_csv(LOSSES)["N"]
    for N in counts.unique():
        assert f"{N:,}" in out


@pytest.mark.slow
def test_a_reader_that_has_enough_of_a_pipe_hears_nothing():
    words = [sys.executable, "-m", "parscale", "gains", LOSSES]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1


@pytest.mark.parametrize("name", ["analysis.py", "scaling.py", "sweeps/__init__.py"])
def test_a_file_of_the_users_that_hides_a_package_is_named_with_the_remedy(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('this file must not run')\n")
    words = [sys.executable, "-m", "parscale", "fit", LOSSES]
    ended = subprocess.run(
        words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert str(tmp_path / name) in line
    assert "python -m parscale" in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        (["fit", LOSSES, "--by", "corpus", "--law", "dense"], {"pandas", "scipy"}),
        (["status", "none"], {"pandas"}),
        (["gains", "results/sweeps/gpu"], {"pandas", "scipy"}),
    ],
)
def test_a_command_loads_what_it_needs(words, allowed, tmp_path):
    out = ["--out", str(tmp_path)] if words[0] == "fit" else []
    code = f"import sys, parscale; parscale.main({[*words, *out]}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"matplotlib", "torch", "lightning", "plotly", "rich", "pandas", "scipy"}
    assert heavy & set(done.stdout.splitlines()[-1].split()) <= allowed


def test_every_command_is_light_to_import():
    code = "import sys, parscale; parscale.build_parser(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert sum(name.endswith("_command") for name in loaded) == len(GROUP_OF)
    assert not {"numpy", "pandas", "rich", "torch", "matplotlib", "scaling", "sweeps", "analysis"} & loaded


def test_a_process_of_its_own_fits_with_one_thread(monkeypatch):
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)
    monkeypatch.setattr("atexit.register", lambda *_: None)
    for name, threads in (("sweep", None), ("streams", None), ("compare", "1")):
        monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        tune_process(name)
        assert os.environ.get("OPENBLAS_NUM_THREADS") == threads
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "4")
    tune_process("fit")
    assert os.environ["OPENBLAS_NUM_THREADS"] == "4"


@pytest.fixture(scope="module")
def whole():
    return parscale.build_parser()


@pytest.mark.parametrize("command", list(GROUP_OF))
def test_every_command_has_examples_that_can_be_called(command, whole, capsys):
    examples = command_module(command).EXAMPLES
    for line in examples:
        found = whole.parse_args(shlex.split(line))
        assert found.command == command
        assert parscale.build_parser([command]).parse_args(shlex.split(line)) == found
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
