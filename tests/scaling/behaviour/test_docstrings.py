"""Docstrings of the public names: one convention, and examples that run."""

import doctest
import inspect
import re
from pathlib import Path

import pytest

import scaling

ROOT = Path(__file__).parents[3]
METHODS = {
    f"Fit.{name}": method
    for name, method in ((name, getattr(scaling.Fit, name)) for name in vars(scaling.Fit))
    if inspect.isfunction(method) and name[0] != "_"
}
PUBLIC = {name: getattr(scaling, name) for name in scaling.__all__}
FUNCTIONS = {name: given for name, given in PUBLIC.items() if inspect.isfunction(given)} | METHODS
NOT_CALLED = {  # results of functions, and bases
    *(
        "Answer",
        "Certificate",
        "ConstrainedLaw",
        "Covariance",
        "CurveFit",
        "Description",
        "Fit",
        "FitError",
        "Forecast",
    ),
    *("Law", "Objective", "Status", "Verdict"),
}
CLASSES = {name: c for name, c in PUBLIC.items() if inspect.isclass(c) and name not in NOT_CALLED}
FIRST = {  # what a user calls first
    *(
        "read_runs",
        "published",
        "fit",
        "compare",
        "backtest",
        "forecast",
        "verdict",
        "gains",
        "allocate",
        "suggest",
    ),
    *("Fit.predict", "Fit.equivalent_N", "Fit.intervals"),
}


def section(name: str, title: str) -> str:
    """The indented lines of a docstring under a title, or nothing."""
    docstring = inspect.getdoc((FUNCTIONS | CLASSES)[name]) or ""
    found = re.search(rf"^{title}:\n((?:(?:    .*)?\n)+)", docstring + "\n", re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("name", sorted(FUNCTIONS | CLASSES))
def test_every_parameter_is_described(name: str) -> None:
    parameters = inspect.signature((FUNCTIONS | CLASSES)[name]).parameters
    described = re.findall(r"^    (\w+): ", section(name, "Args"), re.MULTILINE)
    assert described == [parameter for parameter in parameters if parameter != "self"]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_results_and_errors_are_described(name: str) -> None:
    if inspect.signature(FUNCTIONS[name]).return_annotation != "None":
        assert section(name, "Returns")
    if re.search(r"^\s+raise \w+Error", inspect.getsource(FUNCTIONS[name]), re.MULTILINE):
        assert "Error: " in section(name, "Raises")


@pytest.mark.parametrize("name", sorted(FIRST))
def test_examples_print_what_they_show(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (test,) = doctest.DocTestFinder(recurse=False).find(FUNCTIONS[name], name, globs={"scaling": scaling})
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0
