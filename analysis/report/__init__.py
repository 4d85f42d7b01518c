"""The report of a sweep: one self-contained page.

    from analysis import report
    report.write_report("results/sweeps/demo")

The name loads its module when first used: a command that prints gains loads no figures.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.report.sweep_report import write_report

__all__ = ["write_report"]


def __getattr__(name: str) -> Any:
    if name not in ("write_report", "write"):  # `write`: its name in version 0.1
        raise AttributeError(f"module 'analysis.report' has no attribute {name!r}")
    return import_module("analysis.report.sweep_report").write_report
