"""`parscale explore`: the page is written, and opened unless `--no-open` is given."""

import pytest

from parscale.cli.publish import explore_command


def given(fits, folder, no_open):
    """What the command line gives for one fit file."""
    source = (str(fits / "parallel-stack-v2-python.json"),)
    return explore_command.Options(sources=source, out=str(folder / "p.html"), no_open=no_open)


@pytest.mark.slow
def test_a_missing_browser_is_told_where_the_file_is(tmp_path, stack_fits, monkeypatch, capsys):
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert explore_command.run(given(stack_fits, tmp_path, no_open=False)) == 0
    said = capsys.readouterr()
    assert "p.html" in said.out + said.err
    assert (tmp_path / "p.html").stat().st_size > 5e4


@pytest.mark.slow
def test_no_open_opens_nothing(tmp_path, stack_fits, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda url: pytest.fail("opened a browser"))
    assert explore_command.run(given(stack_fits, tmp_path, no_open=True)) == 0


def test_laws_are_named_as_elsewhere(tmp_path, monkeypatch):
    asked = []

    def read(sources, asked_for, objective, laws):
        asked.extend(law.__name__ for law in laws)
        return [], []

    monkeypatch.setattr("analysis.explorer.read", read)
    monkeypatch.setattr("analysis.explorer.write_explored", lambda found, given, out, command: command)
    options = explore_command.Options(sources=("runs.csv",), laws="chinchilla,dense", no_open=True)
    assert explore_command.run(options) == 0
    assert asked == ["ChinchillaLaw", "DenseLaw"]
