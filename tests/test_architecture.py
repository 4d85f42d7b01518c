"""Rules of the house that a machine can hold: who imports whom, no circles, sizes of folders and functions."""

import ast
import inspect
import re
import subprocess
import sys
from functools import cache
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


@cache
def tree_of(path: Path) -> ast.Module:
    """A file's syntax."""
    return ast.parse(path.read_text())


@cache
def statements_of(path: Path) -> list[ast.stmt]:
    """Every statement of a file, at any depth. What stands inside expressions is left out, which takes a tenth of the time."""
    found, left = [], [*tree_of(path).body]
    while left:
        node = left.pop()
        found.append(node)
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            left += getattr(node, block, [])
    return found


@cache
def imports_of(path: Path) -> set[str]:
    """Dotted names of every module a file imports, at any depth."""
    names = set()
    for node in statements_of(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def forbidden(path: Path) -> set[str]:
    """What a file imports and may not."""
    here, names = path.relative_to(ROOT), imports_of(path)
    tops = {name.partition(".")[0] for name in names}
    found = tops & ({"benchmarks"} if here.parts[0] == "parscale" else {"benchmarks", "parscale"})
    if here.parts[0] == "scaling":
        plots = {"matplotlib"} if str(here) == PLOTS else set()
        found |= tops & ((HEAVY - plots) | {"sweeps", "analysis"})
    if here.parts[0] == "sweeps":
        found |= tops & {"analysis"}
        ours = {name for name in names if name.startswith("scaling.")}
        found |= {name for name in ours if not any(f"{name}.".startswith(f"{m}.") for m in SWEEPS_MAY)}
    if here.parts[0] == "analysis" and str(here) not in MEETING:
        found |= tops & {"sweeps", "torch", "lightning"}
    return found


def test_import_direction():
    assert {str(path): found for path in SOURCES if (found := forbidden(path))} == {}


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


def test_no_public_name_stands_for_two_things():
    protocol = {"run", "Options", "main"}  # of every command, of every program
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in tree_of(path).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: at for name, at in homes.items() if len(at) > 1 and name not in protocol} == {}


def too_long(path: Path) -> list[str]:
    """A file above its limit, and functions whose body is, without signature and docstring."""
    lines = len(path.read_text().splitlines())
    found = [f"{path}: {lines} lines"] if lines > 500 else []
    for node in statements_of(path):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = node.end_lineno - first.lineno + 1
            found += [f"{path}, {node.name}: {length} lines"] if length > 30 else []
    return found


def test_sizes():
    assert [one for path in (*SOURCES, *STUDIES) for one in too_long(path)] == []


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


def test_every_parameter_is_told():
    for name, function, told in public_functions():
        words = " ".join(inspect.getdoc(one) or "" for one in told if one is not None)
        assert inspect.getdoc(function), name
        missing = [p for p in inspect.signature(function).parameters if not re.search(rf"\b{p}\b", words)]
        assert set(missing) <= {"self", "cls"}, name


@pytest.mark.parametrize("package", ["scaling", "sweeps"])
def test_tests_look_no_higher_than_their_package(package):
    above = {"scaling": {"sweeps", "analysis", "torch", "lightning"}, "sweeps": {"analysis"}}[package]
    paths = (ROOT / "tests" / package).rglob("*.py")
    for path in (p for p in paths if any(name in p.read_text() for name in above)):
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
