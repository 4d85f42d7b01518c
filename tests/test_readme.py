"""The README's program runs and its commands exist."""

import re
from pathlib import Path

import parscale

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()


def test_the_program_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert program.count("\n") <= 14
    exec(compile(program, "README.md", "exec"), {})
    assert "AdditiveLaw has the lowest AICc" in capsys.readouterr().out


def test_every_command_of_the_readme_parses():
    lines = re.findall(r"^(?:`|)parscale (.+?)(?:`.*|\s{2,}#.*|)$", TEXT, re.MULTILINE)
    assert len(lines) >= 6
    for line in lines:
        parscale.build_parser().parse_args(line.split())


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)", TEXT):
        assert (ROOT / target).exists(), target


def test_every_column_of_the_runs_table_is_explained():
    from sweeps.row import COLUMNS

    for column in COLUMNS:
        assert re.search(rf"\b{column}\b", TEXT), column
