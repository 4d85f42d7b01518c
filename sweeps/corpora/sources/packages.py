"""Sources of documents: one per corpus name, each yielding `Document`s in a fixed order.

A source's `recipe()` holds everything that decides which documents it yields. The same recipe gives the
same documents, so it is part of the key under which a built corpus is cached.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.resources import files as package_files
from pathlib import Path, PurePosixPath
from typing import Any

from scaling.data import limits
from scaling.data.atomic_files import sha256
from sweeps.corpora.documents import Document, Unreadable, decode

TEST_FOLDERS = {"test", "tests", "testing", "idle_test", "_test", "lib2to3/tests"}
NOT_STDLIB = {"site-packages", "dist-packages", "__pycache__", "ensurepip"}
TEXT_SUFFIXES = {".md", ".rst", ".txt", ".license", ".rule"}


def _is_test(path: PurePosixPath) -> bool:
    """True for test modules and anything inside a folder of tests."""
    stem = path.name
    named = stem.startswith("test_") or stem.endswith("_test.py") or stem in {"tests.py", "conftest.py"}
    return named or any(part in TEST_FOLDERS for part in path.parts[:-1])


def _python_files(root: Path) -> Iterator[Path]:
    """The .py files of a library. Folders of installed packages are not entered: they may hold 100,000 files."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in NOT_STDLIB and not name.startswith("config-3")]
        yield from (Path(folder, name) for name in files if name.endswith(".py"))


@dataclass(frozen=True)
class StandardLibrary:
    """The running Python's standard library, tests left out: on every machine, no download."""

    val_share: float = 0.04

    def recipe(self) -> dict[str, Any]:
        """The interpreter's exact version, which fixes its library."""
        return {"source": "stdlib", "python": sys.version, "root": sysconfig.get_paths()["stdlib"]}

    def state(self) -> str:
        """Nothing: it does not change under its name."""
        return ""

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """Every .py file below the library's root, in the order of their paths."""
        root = Path(sysconfig.get_paths()["stdlib"])
        for path in sorted(_python_files(root)):
            name = PurePosixPath(path.relative_to(root).as_posix())
            if _is_test(name):
                continue
            try:
                raw = path.read_bytes()
            except OSError as error:
                yield Unreadable(str(name), str(error.strerror))
                continue
            yield decode(str(name), raw, domain="stdlib", licence="PSF-2.0")


@dataclass(frozen=True)
class Wheels:
    """Members of hash-pinned wheels: Python source (`code`) or prose (`text`)."""

    pins: tuple[str, ...]  # names of files in sweeps/data
    kind: str  # code: .py members. text: .md, .rst, .txt, licence texts
    val_share: float = 0.05

    def recipe(self) -> dict[str, Any]:
        """The pinned versions and hashes themselves."""
        lines = [line for pin in self.pins for line in data_lines(pin)]
        return {"source": "wheels", "kind": self.kind, "tests": True, "pins": lines}

    def state(self) -> str:
        """Nothing: it does not change under its name."""
        return ""

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """The members wanted, wheel by wheel. Nothing is written outside `folder`."""
        for pin in self.pins:
            wheels = folder / f"wheels-{Path(pin).stem}"
            _download(data_lines(pin), wheels)
            for wheel in _pinned(data_lines(pin), wheels):
                yield from self._members(wheel)

    def _members(self, wheel: Path) -> Iterator[Document | Unreadable]:
        # Members are read in memory and never extracted: a hostile path in the archive has no effect.
        domain = wheel.name.split("-")[0].lower()
        with zipfile.ZipFile(wheel) as archive:
            licence = _wheel_licence(archive)
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                path = PurePosixPath(info.filename)
                if info.is_dir() or info.file_size > limits.MEMBER or not self._wanted(path):
                    continue
                name = f"{domain}/{path}"
                try:
                    raw = archive.read(info)
                except (zipfile.BadZipFile, OSError) as error:
                    yield Unreadable(name, str(error))
                    continue
                yield decode(name, raw, domain, licence)

    def _wanted(self, path: PurePosixPath) -> bool:
        if any(part.endswith(".dist-info") for part in path.parts):
            return False
        if self.kind == "code":  # tests stay: they are half of the source, and as much code as the rest
            return path.suffix == ".py"
        return path.suffix.lower() in TEXT_SUFFIXES


def data_lines(name: str) -> list[str]:
    """The lines of a list packaged in sweeps/data."""
    text = package_files("sweeps").joinpath("data", name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip()]


def _download(pins: list[str], folder: Path) -> None:
    """Fetch the pinned wheels with pip, which refuses a wheel whose hash differs."""
    folder.mkdir(parents=True, exist_ok=True)
    if len(_pinned(pins, folder)) == len(pins):
        return
    requirements = folder / "requirements.txt"
    requirements.write_text("\n".join(pins) + "\n", encoding="utf-8")
    flags = ["--no-deps", "--only-binary=:all:", "--python-version", "3.12", "--require-hashes"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *flags]
    done = subprocess.run(
        [*command, "-r", str(requirements), "-d", str(folder)], capture_output=True, text=True, check=False
    )
    if done.returncode or len(_pinned(pins, folder)) < len(pins):
        last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise OSError(
            f"cannot download {len(pins)} pinned packages: {last}. "
            "Check the connection, or use the corpus stdlib, which needs none"
        )


def _pinned(pins: list[str], folder: Path) -> list[Path]:
    """The wheels in `folder` whose hashes are pinned, by name. Others are left from earlier pins."""
    wanted = {pin.rsplit("sha256:", 1)[1].strip() for pin in pins}
    found = {sha256(path): path for path in sorted(folder.glob("*.whl"))}
    return sorted(path for mark, path in found.items() if mark in wanted)


def _wheel_licence(archive: zipfile.ZipFile) -> str:
    """The licence a wheel's metadata declares."""
    names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    if not names:
        return "unknown"
    headers = HeaderParser().parsestr(archive.read(names[0]).decode("utf-8", "replace"))
    classifiers = [c.rsplit(" :: ", 1)[-1] for c in headers.get_all("Classifier") or [] if "License" in c]
    declared = headers.get("License-Expression") or headers.get("License") or ""
    lines = declared.strip().splitlines() or classifiers
    return lines[0][:80] if lines else "unknown"
