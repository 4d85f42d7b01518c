"""A file is written whole or not at all, and a fault names the file that was asked for."""

import errno
import hashlib
import resource
from pathlib import Path

import pytest

from scaling.data.atomic_files import naming_full_disk, replacing, sha256, write_between


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), replacing(path) as partial:  # noqa: PT012
        partial.write_text("ne")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named_by_the_file_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "table.csv"
    with pytest.raises(FileNotFoundError) as caught, replacing(path) as partial:
        partial.write_text("new")
    assert caught.value.filename == str(path)


def test_a_disk_that_takes_no_more_is_named_whatever_a_library_says(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="odd"), naming_full_disk(tmp_path):
        raise ValueError("odd")
    assert list(tmp_path.iterdir()) == []
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, kept[1]))
    try:
        for failing, place in ((_odd, tmp_path), (_cut_short, tmp_path / "table.csv")):
            with pytest.raises(OSError, match="File too large") as caught, naming_full_disk(tmp_path):
                failing(tmp_path / "table.csv")
            assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(place))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)


def _odd(path: Path) -> None:
    raise ValueError("odd")


def _cut_short(path: Path) -> None:
    with replacing(path) as partial:
        partial.write_bytes(bytes(200))


def test_the_digest_is_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)))
    assert sha256(tmp_path / "file") == hashlib.sha256(bytes(range(256))).hexdigest()


def test_what_stands_outside_the_marks_stays(tmp_path: Path) -> None:
    path, marks = tmp_path / "page.md", ("<!-- a -->", "<!-- b -->")
    write_between(path, marks, "one", new="# Title\n")
    assert path.read_text() == "# Title\n\n<!-- a -->\none\n<!-- b -->\n"
    path.write_text(f"{path.read_text()}\nAfter.\n")
    write_between(path, marks, "two\nlines")
    assert path.read_text() == "# Title\n\n<!-- a -->\ntwo\nlines\n<!-- b -->\n\nAfter.\n"
