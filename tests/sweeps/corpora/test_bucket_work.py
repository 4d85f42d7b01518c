"""Several processes give the same buckets as one process, and a bucket that fails is named."""

import pytest

from sweeps.corpora import bucket_work, spool
from sweeps.corpora.documents import Document
from sweeps.corpora.tokens import train_tokenizer
from tests.sweeps.made_text import text_of


@pytest.fixture
def job(tmp_path):
    train_tokenizer([text_of(1)], 300).save(str(tmp_path / "tokenizer.json"))
    ends = {"a": 2**62, "b": 0}
    told = {"sample": 2, "tokenizer": str(tmp_path / "tokenizer.json"), "dtype": "uint16"}
    return told | {"ends": ends, "literal": True}


def worked(folder, job, count, monkeypatch):
    """Every file that is left, after both tasks by `count` processes."""
    monkeypatch.setattr(spool, "BUFFER", 20_000)
    monkeypatch.setattr(bucket_work, "cores", lambda: count)
    dealt = spool.Spool(folder)
    for i in range(60):
        dealt.add(Document(str(i), text_of(i % 50), "ab"[i % 2]))
    dealt.close()
    shares = []
    bucket_work.work_all("inspect", folder, job, shares.append)
    bucket_work.work_all("encode", folder, job, shares.append)
    return {path.name: path.read_bytes() for path in folder.iterdir()}, shares


@pytest.mark.slow
def test_processes_leave_what_one_leaves(tmp_path, job, monkeypatch):
    alone, told = worked(tmp_path / "one", job, 1, monkeypatch)
    beside, shares = worked(tmp_path / "two", job, 2, monkeypatch)
    assert alone == beside
    assert not told
    assert max(shares) == 1.0
    records = [spool.read_index(tmp_path / "one", bucket) for bucket in spool.buckets(tmp_path / "one")]
    assert sum((of["fate"] == spool.FATES.index("duplicate")).sum() for of in records) == 10


@pytest.mark.slow
def test_a_process_that_fails_is_named(tmp_path, job, monkeypatch):
    with pytest.raises(OSError, match=r"ValueError.*tokenizer"):
        worked(tmp_path / "s", job | {"tokenizer": str(tmp_path)}, 2, monkeypatch)
