"""Machines without chromium: the tests of the page say so, and `make browser` installs it."""

import os
import shutil
import subprocess

import pytest

from tests.analysis import browser


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_chromium_fails_on_ci_and_skips_elsewhere(monkeypatch, tmp_path, ci, outcome):
    monkeypatch.setattr(browser, "CHROMIUM", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(BaseException, match=r"chromium.*apt-get install") as raised:
        browser.require_chromium()
    assert raised.type is outcome


def test_a_chromium_elsewhere_on_the_path_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(browser, "CHROMIUM", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    here = _command(tmp_path, "chromium", "")
    assert browser.require_chromium() == here


def _command(folder, name, body):
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return str(file)


def _make(folder, root):
    """`make browser` on a machine whose only commands lie in `folder`."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make on this machine")
    return subprocess.run(
        [make, "browser"], cwd=root, env={**os.environ, "PATH": str(folder)}, capture_output=True, text=True
    )


def test_make_browser_installs_only_what_is_missing(tmp_path, request):
    asked = tmp_path / "asked"
    _command(tmp_path, "apt-get", f'echo "$@" >> {asked}')
    assert _make(tmp_path, request.config.rootpath).returncode == 0
    assert asked.read_text().splitlines() == ["update -qq", "install -y -qq chromium"]
    asked.unlink()
    _command(tmp_path, "chromium", "")
    assert _make(tmp_path, request.config.rootpath).returncode == 0
    assert not asked.exists()


def test_make_browser_fails_where_nothing_can_be_installed(tmp_path, request):
    _command(tmp_path, "apt-get", "exit 100")
    assert _make(tmp_path, request.config.rootpath).returncode != 0
