"""Prose from Debian packages, pinned by hash: fetched with apt, read in memory, never installed.

The files of a package are read from its archive as a stream. Pages lose their markup, dictionaries
are cut at blank lines. Licences differ: the text is built locally and not redistributed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import Any

from scaling.data.atomic_files import sha256
from sweeps.corpora.documents import Document, Unreadable
from sweeps.corpora.sources.packages import data_lines

PIECE = 20_000  # characters: longer texts are cut at blank lines into pieces of about this size
LEAST = 400  # characters: a shorter page is navigation, not text
MOST = 5_000_000  # characters of one package: no package outweighs the others
PAGES = {".html", ".htm", ".xhtml"}
PLAIN = {".txt", ".rst", ".md", ".texi", ".org", ".des", ".mm", ".pod"}
SKIPPED_NAMES = re.compile(r"changelog|copyright|readme\.debian|genindex|search|index\.html|license", re.I)
# Pages made from source code, and translations: this is a corpus of English prose.
SKIPPED_PATHS = re.compile(
    r"/rust-doc/html/(std|core|alloc|proc_macro|test|src|implementors)/|/descript/[a-z]{2}/|print\.html$"
)
WORDNET = {"data.noun", "data.verb", "data.adj", "data.adv"}
SYNSET = re.compile(r"^\d{8} \d\d \w \w\w (\S+) .*?\| *(.+?) *$", re.M)  # its first word, its gloss
BLOCKS = {"p", "div", "br", "li", "tr", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd", "table"}
UNSEEN = {"script", "style", "head", "nav", "footer"}


@dataclass(frozen=True)
class DebianPackages:
    """The packages of a list: name, version, domain, ..., sha256, tab-separated with a header."""

    pins: str
    val_share: float = 0.04

    def _rows(self) -> list[dict[str, str]]:
        header, *lines = (line.split("\t") for line in data_lines(self.pins))
        rows = [dict(zip(header, line, strict=True)) for line in lines]
        return [row for row in rows if row["frozen"] == "1"]  # the others security updates replace

    def recipe(self) -> dict[str, Any]:
        """The pinned versions and hashes."""
        pins = [[row["package"], row["version"], row["domain"], row["sha256"]] for row in self._rows()]
        return {"source": "debian", "reader": 2, "pins": pins, "piece": PIECE, "most": MOST, "least": LEAST}

    def state(self) -> str:
        """Nothing: it does not change under its name."""
        return ""

    def documents(self, folder: Path) -> Iterator[Document | Unreadable]:
        """The texts of every package, in the order of the list."""
        packages = folder / "debian"
        packages.mkdir(parents=True, exist_ok=True)
        for row in self._rows():
            yield from texts_of(_fetch(row, packages), row["package"], row["domain"])


def _fetch(row: dict[str, str], folder: Path) -> Path:
    """The package's archive, downloaded if it is not there, refused if its hash differs."""
    have = set(folder.glob(f"{row['package']}_*.deb"))
    for path in have:
        if sha256(path) == row["sha256"]:
            return path
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise OSError("the corpus text-debian needs apt-get and dpkg-deb. Use the corpus text instead")
    wanted = f"{row['package']}={row['version']}"
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", wanted]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    for path in set(folder.glob(f"{row['package']}_*.deb")) - have:
        if sha256(path) == row["sha256"]:
            return path
        path.unlink()
    why = (done.stderr.strip().splitlines() or ["its hash differs from the pinned one"])[-1]
    raise OSError(f"cannot fetch the Debian package {wanted}: {why}. Use the corpus text instead")


def texts_of(archive: Path, package: str, domain: str) -> Iterator[Document | Unreadable]:
    """The texts in a package, by path. Nothing is extracted to disk."""
    command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        yield Unreadable(package, done.stderr.decode("utf-8", "replace").strip())
        return
    found: dict[str, str] = {}
    licence = "unknown"
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as members:
        for member in members:
            path = PurePosixPath(member.name)
            if path.match(f"usr/share/doc/{package}/copyright") and (file := members.extractfile(member)):
                licence = licence_of(file.read().decode("utf-8", "replace"))
            if not member.isfile() or SKIPPED_NAMES.search(path.name) or SKIPPED_PATHS.search(str(path)):
                continue
            file = members.extractfile(member)
            text = _text(path, file.read()) if file else None
            if text is not None and len(text) >= LEAST:
                found[str(path)] = text
    pieces = [
        Document(f"{package}/{name}#{number}", piece, domain, licence)
        for name in sorted(found)
        for number, piece in enumerate(_pieces(found[name]))
    ]
    yield from _most(pieces)


def licence_of(copyright: str) -> str:
    """The licence a package's copyright file states first, which is that of most of its files."""
    stated = re.search(r"^License: *(\S.*?)\s*$", copyright, re.M)
    common = re.search(r"/usr/share/common-licenses/([\w.+-]*\w)", copyright)
    found = stated or common
    return found[1][:80] if found else "unknown"


def _most(pieces: list[Document]) -> list[Document]:
    """Pieces in their order. Beyond MOST, only those with the lowest hashes."""
    hashes = {piece.name: hashlib.sha256(piece.text.encode()).digest() for piece in pieces}
    left, kept = MOST, set()
    for piece in sorted(pieces, key=lambda piece: hashes[piece.name]):
        left -= len(piece.text)
        if left < 0:
            break
        kept.add(piece.name)
    return [piece for piece in pieces if piece.name in kept]


def _text(path: PurePosixPath, raw: bytes) -> str | None:
    """The text of a file, None if it holds none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".dz"):
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError):
            return None
        suffixes.pop()
    last = suffixes[-1] if suffixes else ""
    manual = "/man/" in f"/{path}" and re.fullmatch(r"\.[1-9]\w*", last)
    fortune = path.parent.name == "fortunes" and not last
    wordnet = path.name in WORDNET
    if not (last in PAGES | PLAIN | {".dict"} or manual or fortune or wordnet):
        return None
    text = raw.decode("utf-8", "replace")
    if text.count("\ufffd") > len(text) / 200:
        text = raw.decode("latin-1")
    if last in PAGES:
        return _Page.strip(text)
    if wordnet:
        entries = SYNSET.findall(text)
        return "\n\n".join(f"{word.replace('_', ' ')}: {gloss}" for word, gloss in entries)
    return _unroff(text) if manual else text


class _Page(HTMLParser):
    """Collects what a reader of the page would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.unseen += tag in UNSEEN
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.unseen = max(0, self.unseen - (tag in UNSEEN))
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self.unseen:
            self.parts.append(data)

    @classmethod
    def strip(cls, page: str) -> str:
        """The page's text, at most one blank line in a row."""
        parser = cls()
        parser.feed(page)
        lines = "\n".join(line.rstrip() for line in "".join(parser.parts).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", lines).strip() + "\n"


def _unroff(text: str) -> str:
    """A manual page without its requests and font changes."""
    lines = []
    for line in text.split("\n"):
        if line.startswith(('.\\"', "'\\\"", ".nf", ".fi", ".ad", ".hy", ".ie", ".el", ".if")):
            continue
        request = re.match(r"[.'](\w+)\s*(.*)", line)
        if request:
            line = ("\n" if request[1] in ("SH", "SS", "PP", "TP", "P") else "") + request[2].strip('"')
        lines.append(line)
    plain = re.sub(r"\\f[A-Z]|\\f\(..|\\&|\\c|\\s[-+]?\d", "", "\n".join(lines))
    plain = plain.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")
    return re.sub(r"\n{3,}", "\n\n", plain)


def _pieces(text: str) -> list[str]:
    """The text cut at blank lines into pieces of about PIECE characters."""
    pieces, current, size = [], [], 0
    for paragraph in text.split("\n\n"):
        current.append(paragraph)
        size += len(paragraph) + 2
        if size >= PIECE:
            pieces.append("\n\n".join(current))
            current, size = [], 0
    rest = "\n\n".join(current)
    if pieces and len(rest) < LEAST:
        pieces[-1] += "\n\n" + rest
        return pieces
    return [*pieces, rest]
