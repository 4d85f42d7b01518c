"""Docstrings of the public names: one convention, and examples that run."""

import doctest
import importlib
import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import scaling

ROOT = Path(__file__).parents[1]
MODULES = [
    "analysis.explorer",
    "analysis.figures",
    "analysis.inference_cost",
    "analysis.measure",
    "analysis.report",
    "scaling",
    "sweeps.checkpoint",
    "sweeps.config",
    "sweeps.corpora",
    "sweeps.grids",
    "sweeps.model",
    "sweeps.store",
]
# Results of functions, and bases.
NOT_CALLED = [
    "Answer",
    "Certificate",
    "ConstrainedLaw",
    "Covariance",
    "CurveFit",
    "Description",
    "Fit",
    "FitError",
    "Forecast",
    "Objective",
    "Status",
    "Verdict",
]
CALLED_OF_LAW = [
    "with_fixed",
    "with_bounds",
    "predict",
    "limit",
    "gradient",
    "inverse",
    "equivalent",
    "equivalent_N",
    "equivalent_P",
]
BY_FIELD = ["ModelConfig", "RunConfig", "Execution", "Axes"]  # many fields, each with its comment
FIRST = {  # what a user calls first
    "scaling": """Law read_runs published fit compare backtest forecast verdict gains allocate suggest Fit.predict
        Fit.equivalent_N Fit.intervals""",
    "analysis.figures": "fig2 plot_fit",
    "analysis.inference_cost": "estimate read_hardware",
    "sweeps.checkpoint": "save",
    "sweeps.config": "ModelConfig",
    "sweeps.grids": "find",
    "sweeps.model": "ParScaleLM",
}
SLOW = {"analysis.explorer": "write", "analysis.report": "write_report"}


def public(module: str) -> dict[str, Any]:
    """Functions and classes of a module's public names, methods of `Fit` and `Law` among them."""
    space = importlib.import_module(module)
    own = [name for name, value in vars(space).items() if getattr(value, "__module__", "") == module]
    names = getattr(space, "__all__", [name for name in own if name[0] != "_"])
    found = {f"{module}.{name}": getattr(space, name) for name in names if name not in NOT_CALLED}
    if module == "scaling":
        methods = {"Fit": [name for name in vars(scaling.Fit) if name[0] != "_"], "Law": CALLED_OF_LAW}
        found |= {
            f"scaling.{owner}.{name}": getattr(getattr(scaling, owner), name)
            for owner, names in methods.items()
            for name in names
        }
    return {
        name: value for name, value in found.items() if inspect.isroutine(value) or inspect.isclass(value)
    }


PUBLIC = {name: value for module in MODULES for name, value in public(module).items()}
FUNCTIONS = sorted(name for name, value in PUBLIC.items() if inspect.isroutine(value))
FIELDS = sorted(name for name in PUBLIC if name.rpartition(".")[2] in BY_FIELD)
EXAMPLES = [
    *(f"{module}.{name}" for module, names in FIRST.items() for name in names.split()),
    *(pytest.param(f"{module}.{name}", marks=pytest.mark.slow) for module, name in SLOW.items()),
]


def section(name: str, title: str) -> str:
    """The indented lines of a docstring under a title, or nothing."""
    docstring = inspect.getdoc(PUBLIC[name]) or ""
    found = re.search(rf"^{title}:\n((?:(?:    .*)?\n)+)", docstring + "\n", re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - FIELDS))
def test_every_parameter_is_described(name: str) -> None:
    parameters = inspect.signature(PUBLIC[name]).parameters
    described = re.findall(r"^    (\w+): ", section(name, "Args"), re.MULTILINE)
    assert described == [parameter for parameter in parameters if parameter != "self"]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_its_comment(name: str) -> None:
    text = inspect.getsource(PUBLIC[name])
    declared = {
        field.name: re.search(rf"^    {field.name}: .*?(?=^    \w|^\n|\Z)", text, re.MULTILINE | re.DOTALL)
        for field in fields(PUBLIC[name])
    }
    assert [field for field, found in declared.items() if not found or "#" not in found[0]] == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_and_errors_are_described(name: str) -> None:
    if inspect.signature(PUBLIC[name]).return_annotation != "None":
        assert section(name, "Returns")
    if re.search(r"^\s+raise \w+Error", inspect.getsource(PUBLIC[name]), re.MULTILINE):
        assert "Error: " in section(name, "Raises")


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_print_what_they_show(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path if name.startswith("analysis") else ROOT)
    space = {"scaling": scaling} if name.startswith("scaling") else {}
    (test,) = doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name, globs=space)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0
