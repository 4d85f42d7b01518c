"""Rules of the house that a machine can hold: who imports whom, no circles, sizes of folders and functions."""

import ast
import inspect
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest

import scaling
from scaling.uncertainty.interval_methods import Method

ROOT = Path(__file__).parents[1]
PACKAGES = ("parscale", "scaling", "sweeps", "analysis")
SOURCES = sorted(p for d in PACKAGES for p in (ROOT / d).rglob("*.py"))
STUDIES = sorted((ROOT / "benchmarks").rglob("*.py"))
PLOTS = "scaling/fitting/plots.py"  # matplotlib, inside the function that makes a figure
HEAVY = {"torch", "lightning", "matplotlib", "plotly", "ray"}
SWEEPS_MAY = {"scaling.accounting", "scaling.data"}
MEETING = {"analysis/measure.py", "analysis/costs/machine.py"}  # time real models: here analysis meets torch


def imports_of(path: Path) -> set[str]:
    """Dotted names of every module a file imports, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_import_direction(path):
    package, names = path.relative_to(ROOT).parts[0], imports_of(path)
    tops = {name.partition(".")[0] for name in names}
    assert package == "parscale" or "parscale" not in tops
    if package == "scaling":
        plots = {"matplotlib"} if str(path.relative_to(ROOT)) == PLOTS else set()
        assert not tops & ((HEAVY - plots) | {"sweeps", "analysis", "benchmarks"})
    if package == "sweeps":
        assert "analysis" not in tops
        ours = {name for name in names if name.startswith("scaling")}
        allowed = {name for name in ours if any(name == m or name.startswith(m + ".") for m in SWEEPS_MAY)}
        assert ours - allowed <= {"scaling"}
    if package == "analysis" and str(path.relative_to(ROOT)) not in MEETING:
        assert not tops & {"sweeps", "torch", "lightning"}


def edges() -> dict[str, set[str]]:
    """Which module of ours imports which, at any depth, lazy imports and those for types included."""
    names = {
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
        for p in (*SOURCES, *STUDIES)
    }
    found = {}
    for name, path in names.items():
        wanted = imports_of(path)
        longest = {w for w in wanted if w in names}
        inside = {w for w in longest if any(other.startswith(f"{w}.") for other in longest)}
        found[name] = longest - inside - {name}
    return found


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Import circles: one set of modules each."""

    def reached(start: str) -> set[str]:
        seen, left = set(), [start]
        while left:
            new = graph[left.pop()] - seen
            seen |= new
            left += new
        return seen

    of = {name: reached(name) for name in graph}
    return [ring for name in graph if name in of[name] and (ring := {m for m in of[name] if name in of[m]})]


@pytest.mark.slow
def test_no_module_imports_in_a_circle():
    assert circles(edges()) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [{"b", "c"}, {"b", "c"}]


def test_no_folder_is_crowded():
    folders = {path.parent for path in (*SOURCES, *STUDIES)}
    crowded = {
        f: n for f in folders if (n := len([p for p in f.glob("*.py") if p.name != "__init__.py"])) > 15
    }
    assert crowded == {}


def test_no_file_name_stands_for_two_things():
    stems = [path.stem for path in SOURCES if not path.stem.startswith("__")]
    assert {stem for stem in stems if stems.count(stem) > 1} == set()


@pytest.mark.slow
def test_no_public_name_stands_for_two_things():
    protocol = {"run", "Options", "main"}  # of every command, of every program
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: at for name, at in homes.items() if len(at) > 1 and name not in protocol} == {}


@pytest.mark.parametrize("path", [*SOURCES, *STUDIES], ids=lambda p: str(p.relative_to(ROOT)))
def test_sizes(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 500, "split the file"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = node.end_lineno - first.lineno + 1
            assert length <= 30, f"{node.name} has {length} lines"


def public_functions():
    """Everything the scaling package offers to call, by name, with all that is written about it."""
    for name in scaling.__all__:
        thing = getattr(scaling, name)
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    inherited = [getattr(base, method, None) for base in (*thing.__mro__, Method)]
                    yield f"{name}.{method}", function, [thing, *inherited]
        elif callable(thing):
            yield name, thing, [thing]


@pytest.mark.parametrize(
    ("name", "function", "told"),
    list(public_functions()),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_parameter_is_told(name, function, told):
    words = " ".join(inspect.getdoc(one) or "" for one in told if one is not None)
    assert inspect.getdoc(function), name
    assert not [
        p for p in inspect.signature(function).parameters if not re.search(rf"\b{p}\b", f"self cls {words}")
    ]


@pytest.mark.parametrize("package", ["scaling", "sweeps"])
def test_tests_look_no_higher_than_their_package(package):
    above = {"scaling": {"sweeps", "analysis", "torch", "lightning"}, "sweeps": {"analysis"}}[package]
    for path in (ROOT / "tests" / package).rglob("*.py"):
        assert not {name.partition(".")[0] for name in imports_of(path)} & above, path.name


def test_importing_scaling_loads_nothing_heavy():
    code = "import sys, scaling; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert not (HEAVY | {"pandas", "scipy", "pyarrow"}) & set(loaded.stdout.split())


def test_the_tasks_of_contributing_name_files():
    named = re.findall(r"^\| .* \| `(\S+\.py)` \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert len({*named}) == 30
    assert {ROOT / name for name in named} <= {*SOURCES}


def test_no_path_of_a_machine_is_committed():
    places = re.compile(r"/(root|home|tmp)/")
    written = [ROOT.glob("*.md"), ROOT.glob("docs/**/*.md"), ROOT.glob("notebooks/*.ipynb")]
    texts = [*SOURCES, *chain(*written), *ROOT.glob("results/**/*.json"), *ROOT.glob("results/**/*.md")]
    assert not [path for path in texts if places.search(path.read_text(errors="replace"))]


COVERED = {  # modules of a few lines: the test file of a neighbour covers each
    "parscale/__main__.py": "tests/parscale/cli/test_main.py",
    "parscale/cli/decide/serving_options.py": "tests/parscale/cli/decide/test_cost_command.py",
    "sweeps/training/interrupt.py": "tests/sweeps/training/test_train.py",
}
MIRRORED = {
    ROOT / "tests" / path.relative_to(ROOT).parent / f"test_{path.name}": path.relative_to(ROOT).as_posix()
    for path in SOURCES
    if path.name != "__init__.py"
}
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def test_every_module_has_a_test_file_of_its_name():
    assert {module for file, module in MIRRORED.items() if not file.is_file()} - set(COVERED) == set()


def test_every_test_file_mirrors_a_module():
    of_packages = [path for path in TESTS if path.relative_to(ROOT / "tests").parts[0] in PACKAGES]
    own = [path for path in of_packages if "behaviour" not in path.parts]
    assert len(own) > 100
    assert {path.relative_to(ROOT).as_posix() for path in own if path not in MIRRORED} == set()


def test_no_exception_is_stale():
    without = {module for file, module in MIRRORED.items() if not file.is_file()}
    assert set(COVERED) <= without
    assert all((ROOT / file).is_file() for file in COVERED.values())


def test_no_test_file_is_long():
    assert {path.name: n for path in TESTS if (n := len(path.read_text().splitlines())) > 400} == {}
