"""Who may import whom, and what `import scaling` may cost."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "scaling"
FORBIDDEN = {"torch", "lightning", "matplotlib", "plotly", "sweeps", "analysis", "parscale", "benchmarks"}
MODULES = sorted(PACKAGE.glob("*.py"))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_scaling_imports_neither_training_nor_drawing(path: Path) -> None:
    assert not imported(path) & FORBIDDEN


def test_import_scaling_loads_numpy_alone() -> None:
    slow = ["pandas", "scipy", "torch", "matplotlib", "pandera", "pyarrow"]
    code = f"import scaling, sys; print([m for m in {slow} if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    assert out.stdout.strip() == "[]"


def test_every_public_name_is_there_twice_in_a_row() -> None:
    """A submodule of the same name would shadow the function at the second look."""
    code = (
        "import scaling\n"
        "for name in scaling.__all__:\n"
        "    first, second = getattr(scaling, name), getattr(scaling, name)\n"
        "    assert first is second, name\n"
        "    assert callable(first) or name in {'REGISTRY'}, name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)


def test_unknown_names_are_refused() -> None:
    import scaling

    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        _ = scaling.fitt
