"""Run notebooks from top to bottom and keep their outputs: python notebooks/execute.py [NAME...].

What changes from run to run (times of execution, versions of the kernel) is not kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def execute(path: Path, timeout: int = 120) -> Any:
    """The notebook with the outputs of a fresh kernel started in its folder; raises where a cell does."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(path.parent)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook


def main(names: list[str]) -> None:
    """Execute and write the notebooks whose names begin with one of `names`, or all."""
    for path in sorted(HERE.glob("*.ipynb")):
        if not names or any(path.name.startswith(name) for name in names):
            nbformat.write(execute(path), path)
            print(path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
