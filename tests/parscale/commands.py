"""Commands called in this process and in one of their own."""

import os
import subprocess
import sys
from pathlib import Path

import parscale

ROOT = Path(__file__).parents[2]


def run(*argv: str, capsys) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    code = parscale.main([*argv])
    out, err = capsys.readouterr()
    return code, out, err


def command(*argv: str, **environment: str) -> subprocess.Popen:
    """The installed command in a process of its own."""
    where = {**os.environ, **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "parscale", *argv],
        cwd=ROOT,
        env=where,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
