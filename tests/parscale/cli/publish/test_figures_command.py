"""`parscale figures`: files drawn, one or all."""

from pathlib import Path

import pytest

from tests.parscale.commands import run


@pytest.mark.slow
def test_figures_only_fig2(tmp_path, capsys):
    code, out, _ = run("figures", "--only", "fig2", "--out", str(tmp_path), capsys=capsys)
    assert code == 0
    assert {Path(line).name for line in out.split()} == {"fig2.png", "fig2.pdf", "fig2.svg"}
    assert all(Path(line).stat().st_size > 5_000 for line in out.split())
