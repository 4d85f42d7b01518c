"""The file of code that an export carries: whole by itself, and it says what it needs."""

import ast
import subprocess
import sys
import types

import pytest
import torch

from sweeps.checkpoint.modelling_file import body, modelling_source


def test_the_file_imports_torch_and_transformers_alone():
    nodes = list(ast.walk(ast.parse(modelling_source())))
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    ours = {name for name in imported if name.partition(".")[0] not in ("torch", "transformers")}
    assert ours <= sys.stdlib_module_names | {"collections.abc"}


def test_every_name_in_the_file_is_defined_there_and_every_import_used():
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", "-"]
    found = subprocess.run(command, input=modelling_source(), capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout.strip()) == (0, "All checks passed!")


@pytest.mark.parametrize(
    ("package", "version", "told"),
    [("transformers", "4.50.3", "transformers >= 4.51"), ("torch", "2.4.1", "torch >= 2.5")],
)
def test_an_older_package_is_named_in_one_line(package, version, told, monkeypatch):
    fake = types.ModuleType("transformers")
    fake.__version__ = "5.0.0"
    monkeypatch.setitem(sys.modules, "transformers", fake)
    monkeypatch.setattr(torch if package == "torch" else fake, "__version__", version)
    with pytest.raises(ImportError, match=told) as raised:
        exec(compile(modelling_source(), "modeling_parscale.py", "exec"), {"__name__": "modeling_parscale"})
    assert version in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_module_is_taken_without_its_docstring_and_imports():
    source = '"""Says."""\n\nimport ast\nfrom sys import path\n\n# Why.\nA = 1\n\nimport json\n'
    assert body(source).strip() == "# Why.\nA = 1\n\nimport json"
