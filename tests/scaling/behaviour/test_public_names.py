"""The names that `import scaling` offers. tests/test_architecture.py checks who may import whom."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_every_public_name_is_there_twice_in_a_row() -> None:
    """A submodule of the same name would shadow the function at the second look."""
    code = (
        "import scaling\n"
        "for name in scaling.__all__:\n"
        "    first, second = getattr(scaling, name), getattr(scaling, name)\n"
        "    assert first is second, name\n"
        "    assert callable(first) or name in {'REGISTRY', 'DEFAULT_OBJECTIVE'}, name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_unknown_names_are_refused() -> None:
    import scaling

    with pytest.raises(AttributeError, match="'fitt'"):
        _ = scaling.fitt
