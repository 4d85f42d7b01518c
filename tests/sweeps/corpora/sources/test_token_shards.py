"""Shards of ids as other programs write them, recognised by their bytes, and their faults."""

import json
import struct

import numpy as np
import pytest

from sweeps.corpora.sources.token_shards import TokenShards, hold_out

IDS = np.random.default_rng(1).integers(1, 300, 5000)


def llmc(path, ids, magic=20240520, dtype="uint16", count=None):
    header = np.zeros(256, np.int32)
    header[:3] = magic, 1, len(ids) if count is None else count
    path.write_bytes(header.tobytes() + ids.astype(dtype).tobytes())


def megatron(path, documents, code=8, dtype="uint16", version=1):
    path.write_bytes(b"".join(ids.astype(dtype).tobytes() for ids in documents))
    sizes = np.array([len(ids) for ids in documents], np.int32)
    offsets = (np.cumsum(sizes) - sizes) * np.dtype(dtype).itemsize
    head = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", version, code, len(sizes), len(sizes) + 1)
    rest = sizes.tobytes() + offsets.astype(np.int64).tobytes() + np.arange(len(sizes) + 1).tobytes()
    path.with_suffix(".idx").write_bytes(head + rest)


def read(source):
    return {part: [shard.open()[:].tolist() for shard in shards] for part, shards in source.shards.items()}


def test_shards_of_llmc_are_read_and_its_validation_known_by_name(tmp_path):
    llmc(tmp_path / "web_train_000002.bin", IDS[2000:4000])
    llmc(tmp_path / "web_train_000001.bin", IDS[:2000])
    llmc(tmp_path / "web_val_000000.bin", IDS[4000:])
    source = TokenShards(str(tmp_path))
    assert read(source) == {
        "train": [IDS[:2000].tolist(), IDS[2000:4000].tolist()],
        "valid": [IDS[4000:].tolist()],
    }
    assert source.vocabulary == 50257
    llmc(tmp_path / "web_train_000001.bin", IDS, 20240801, "uint32")
    assert {shard.dtype for shard in TokenShards(str(tmp_path)).shards["train"]} == {"uint16", "uint32"}


def test_shards_of_nanogpt_are_plain_ids(tmp_path):
    IDS[:4000].astype("uint16").tofile(tmp_path / "train.bin")
    IDS[4000:].astype("uint16").tofile(tmp_path / "val.bin")
    assert read(TokenShards(str(tmp_path))) == {
        "train": [IDS[:4000].tolist()],
        "valid": [IDS[4000:].tolist()],
    }
    with pytest.raises(ValueError, match=r"vocabulary.*#vocab=N"):
        _ = TokenShards(str(tmp_path)).vocabulary
    assert TokenShards(str(tmp_path), 300).vocabulary == 300


@pytest.mark.parametrize(("code", "dtype"), [(8, "uint16"), (4, "int32")])
def test_shards_of_megatron_come_with_their_documents(tmp_path, code, dtype):
    documents = np.array_split(IDS, 10)
    megatron(tmp_path / "text_document.bin", documents, code, dtype)
    source = TokenShards(str(tmp_path))
    assert read(source)["train"] == [IDS.tolist()]
    parts = hold_out(source.shards, None)
    assert [len(shard.starts) for shard in (*parts["train"], *parts["valid"])] == [10, 0]
    wide = hold_out({"train": [*source.shards["train"]] * 20, "valid": []}, None)  # 1% are two documents
    assert sum(shard.count for shard in wide["valid"]) == 1000
    assert len(wide["valid"][0].starts) == 2


def test_what_is_held_out_begins_with_a_document(tmp_path):
    ids = IDS.copy()
    ids[4970] = 0
    ids.astype("uint16").tofile(tmp_path / "train.bin")
    shards = TokenShards(str(tmp_path)).shards
    cut = hold_out(shards, 0)
    assert cut["valid"][0].open()[:].tolist() == ids[4971:].tolist()
    assert cut["train"][0].open()[:].tolist() == ids[:4971].tolist()
    assert hold_out(shards, None)["valid"][0].count == 50


def described(folder, **more):
    IDS.astype("uint32").tofile(folder / "a.bin")
    text = {"dtype": "uint32", "train": ["a.bin"], "vocab": 300, "end": 0} | more
    (folder / "tokens.json").write_text(json.dumps(text))
    return TokenShards(str(folder))


def test_plain_shards_are_described_by_a_manifest(tmp_path):
    source = described(tmp_path, tokens={"a.bin": 5000})
    assert (read(source)["train"], source.vocabulary, source.end(None)) == ([IDS.tolist()], 300, 0)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tokens": {"a.bin": 4000}}, "5,000.*uint32.*4000"),
        ({"train": ["b.bin"]}, r"tokens\.json.*b\.bin"),
        ({"dtype": "float32"}, "dtype.*'float32'.*uint16.*uint32"),
        ({"tokens_": 1}, "tokens_"),
        ({"train": "a.bin"}, r"tokens\.json: train"),
    ],
)
def test_a_manifest_that_lies_is_refused(tmp_path, more, said):
    with pytest.raises(ValueError, match=said):
        _ = described(tmp_path, **more).shards


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    llmc(tmp_path / "a.bin", IDS, count=6000)
    with pytest.raises(ValueError, match=r"6,000.*ids.*uint16"):
        _ = TokenShards(str(tmp_path)).shards
    megatron(tmp_path / "a.bin", np.array_split(IDS, 3))
    whole = (tmp_path / "a.idx").read_bytes()
    for index, said in (
        (whole[:-9], "cut short"),
        (b"x" + whole[1:], "Megatron.*1"),
        (whole[:17] + b"\x07" + whole[18:], "type code 7 holds no token ids"),
    ):
        (tmp_path / "a.idx").write_bytes(index)
        with pytest.raises(ValueError, match=said):
            _ = TokenShards(str(tmp_path)).shards
    (tmp_path / "a.idx").write_bytes(whole)
    (tmp_path / "a.bin").write_bytes(b"12")
    with pytest.raises(ValueError, match=r"a\.bin.* 2 bytes"):
        _ = TokenShards(str(tmp_path)).shards
