"""Laws in a user's own file: named by file and class, run once, refused with the reason."""

import os
import sys
from pathlib import Path

import pytest

import scaling
from scaling import LogHuber, Objective
from scaling.laws.law_files import file_of, in_file, short_name
from tests.scaling.own_shapes import LAW, written


@pytest.mark.parametrize(
    ("given", "parts", "name"),
    [
        ("my.py", ("my.py", "", ""), "my"),
        ("a/my.py:Depth", ("a/my.py", "Depth", ""), "Depth"),
        ("my.py:Depth:E=1.6,b=2", ("my.py", "Depth", "E=1.6,b=2"), "Depth:E=1.6,b=2"),
        ("my.py:E=1.6", ("my.py", "", "E=1.6"), "my:E=1.6"),
        ("dense:E=1.6", None, "dense:E=1.6"),
    ],
)
def test_what_a_name_says(given, parts, name):
    assert in_file(given) == parts
    assert short_name(given) == name


def test_a_law_is_found_in_its_file_once_and_again_when_it_changed(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    spec, _ = written(tmp_path)
    second = (tmp_path / "depth.py").stat().st_mtime
    law, only = scaling.by_name(spec), scaling.by_name(spec.removesuffix(":DepthLaw"))
    assert law is only
    assert scaling.by_name(f"{spec}:E=1.7").fixed == {"E": 1.7}
    monkeypatch.chdir(tmp_path)
    assert file_of(law) == "depth.py"
    assert file_of(scaling.DenseLaw) == ""
    (tmp_path / "depth.py").write_text(LAW.replace('"a": Range(0.1, 2)', '"a": Range(0.2, 2)'))
    os.utime(
        tmp_path / "depth.py", (second, second)
    )  # the new text has the size and the second of the old one
    assert scaling.by_name(spec).nonlinear["a"].low == 0.2


def test_what_is_no_law_is_refused_with_what_there_is(tmp_path: Path):
    spec, _ = written(tmp_path)
    file = tmp_path / "depth.py"
    with pytest.raises(ValueError, match=r"Nope.*DepthLaw"):
        scaling.by_name(f"{file}:Nope")
    with pytest.raises(ValueError, match=r"none\.py"):
        scaling.by_name(spec.replace("depth.py", "none.py"))
    with pytest.raises(ValueError, match="'dens'"):
        scaling.by_name("dens")
    file.write_text("x = (")
    with pytest.raises(ValueError, match="SyntaxError"):
        scaling.by_name(spec)
    file.write_text("from scaling import Law, DenseLaw")
    with pytest.raises(ValueError, match=r"\b0\b"):
        scaling.by_name(str(file))
    assert scaling.by_name(f"{file}:DenseLaw") is scaling.DenseLaw


def test_a_fit_names_the_file_and_does_not_run_it(tmp_path: Path, monkeypatch):
    spec, table = written(tmp_path)
    monkeypatch.chdir(tmp_path)
    fit = scaling.fit(spec, scaling.read_runs(table, law=spec))
    fit.save("fit.json")
    monkeypatch.setattr("scaling.fitting.save.descendants", {scaling.Law: [], Objective: [LogHuber]}.get)
    with pytest.raises(ValueError, match=r"--law.*depth\.py:DepthLaw"):
        scaling.load("fit.json")
    assert scaling.load("fit.json", law="depth.py:DepthLaw").law == fit.law
    with pytest.raises(ValueError, match=r"DepthLaw.*DenseLaw"):
        scaling.load("fit.json", law="dense")
    Path("depth.py").write_text(LAW.replace("width**-a", "2 * width**-a"))
    with pytest.raises(ValueError, match=r"fit\.json.*DepthLaw.*losses"):
        scaling.load("fit.json", law="depth.py")
    Path("depth.py").write_text(LAW.replace("    b: float", "    b: float\n    c: float"))
    with pytest.raises(ValueError, match=r"fit\.json.*DepthLaw.*c"):
        scaling.load("fit.json", law="depth.py")
