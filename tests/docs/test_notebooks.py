"""The notebooks run from top to bottom, hold their outputs, and hold no analysis of their own."""

import ast
import importlib.util
import os
import re
import time
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"
NAMES = [
    "01_fit_the_published_law",
    "02_your_own_runs",
    "03_compare_laws_and_backtest",
    "04_sweep_and_fit",
    "05_costs_and_decisions",
    "06_regenerate_the_figures",
]
MAY_IMPORT = {"scaling", "analysis", "sweeps", "pandas", "pathlib", "tempfile"}
ANALYSIS = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.With)
MOST_LINES, MOST_SECONDS = 12, 60


def read(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def numbers(cell):
    """Every number in a cell's text. Lines of progress may come in any order."""
    said = [output.get("data", {}).get("text/plain", output.get("text", "")) for output in cell.outputs]
    return [float(x) for x in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", "\n".join(said))]


def kinds(cell):
    """What a cell shows: pictures, tables, text. The number of progress lines may vary."""
    return {key for output in cell.outputs for key in output.get("data", {"text/plain": ""})}


def test_they_are_the_ones_promised():
    assert [path.stem for path in sorted(FOLDER.glob("*.ipynb"))] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_short_and_only_call_the_library(name):
    notebook = read(name)
    for cell in code_cells(notebook):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source
        for node in ast.walk(ast.parse(cell.source)):
            assert not isinstance(node, ANALYSIS), cell.source
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                assert {module.partition(".")[0] for module in modules} <= MAY_IMPORT
    words = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    assert words > 60, "a notebook tells what it does"


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_committed(name):
    cells = code_cells(read(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any("image/png" in kinds(cell) or "text/html" in kinds(cell) for cell in cells)
    text = (FOLDER / f"{name}.ipynb").read_text()
    assert "Traceback" not in text


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_runs(name):
    pytest.importorskip("nbclient")
    spec = importlib.util.spec_from_file_location("notebooks_execute", FOLDER / "execute.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    began = time.monotonic()
    fresh = script.execute(FOLDER / f"{name}.ipynb", timeout=4 * MOST_SECONDS)
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))  # others' work is not the notebook's
    assert time.monotonic() - began < MOST_SECONDS * busy
    for now, kept in zip(code_cells(fresh), code_cells(read(name)), strict=True):
        assert kinds(now) == kinds(kept), now.source
        if "run_sweep(" not in now.source and "tempfile" not in now.source:
            assert numbers(now) == pytest.approx(numbers(kept), rel=2e-3, abs=1e-6), now.source
