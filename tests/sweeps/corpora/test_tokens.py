"""Tokenizer, token files, and which tokens a step sees."""

import numpy as np
import pytest

from sweeps.corpora.tokens import END, Shards, Windows, open_tokens, train_tokenizer

TEXTS = [f"def f_{i}(x):\n    return x + {i}  # größe {i}\n" for i in range(60)]


def test_tokenizer_has_the_vocabulary_asked_for_and_loses_nothing():
    tokenizer = train_tokenizer(TEXTS, 275)
    assert tokenizer.get_vocab_size() == 275
    assert tokenizer.token_to_id(END) == 0
    text = "class Ünseen:\r\n\tpass 123 \U0001f600"
    assert tokenizer.decode(tokenizer.encode(text).ids) == text


def test_tokenizer_is_the_same_every_time():
    assert train_tokenizer(TEXTS, 320).to_str() == train_tokenizer(TEXTS, 320).to_str()


def test_digits_are_single_tokens():
    tokenizer = train_tokenizer(TEXTS * 20, 320)
    assert len(tokenizer.encode("4711").ids) == 4


def test_a_vocabulary_below_the_bytes_is_refused():
    with pytest.raises(ValueError, match=r"100.*BPE.*257"):
        train_tokenizer(TEXTS, 100)


def test_shards_are_read_as_one_array(tmp_path):
    whole = np.arange(1000, dtype=np.uint16)
    whole.tofile(tmp_path / "t.bin")
    parts = [open_tokens(tmp_path / "t.bin", "uint16", 2 * a, b - a) for a, b in ((0, 7), (7, 7), (7, 600))]
    shards = Shards([*parts, whole[600:].astype(np.int32)])
    assert len(shards) == 1000
    for span in (slice(0, 3), slice(5, 9), slice(590, 650), slice(3, 1000), slice(999, 2000), slice(4, 4)):
        np.testing.assert_array_equal(shards[span], whole[span])
    direct, through = Windows(whole, 10, 7, seed=3), Windows(shards, 10, 7, seed=3)
    np.testing.assert_array_equal(direct.step(5), through.step(5))


@pytest.fixture
def windows():
    return Windows(np.arange(1003, dtype=np.uint16), seq_len=10, batch=7, seed=3)


def test_a_step_is_a_pure_function_of_seed_and_step(windows):
    again = Windows(windows.tokens, 10, 7, seed=3)
    straight = [windows.step(i) for i in range(40)]
    for i in (31, 2, 39, 0, 15):  # in any order, over three epochs
        np.testing.assert_array_equal(again.step(i), straight[i])
    other = Windows(windows.tokens, 10, 7, seed=4)
    assert any((other.step(i) != straight[i]).any() for i in range(3))


def test_an_epoch_reads_every_window_once(windows):
    assert windows.count == 100
    rows = np.concatenate([windows.step(i) for i in range(15)])[:100]
    assert sorted(rows[:, 0]) == list(range(0, 1000, 10))
    assert (np.diff(rows, axis=1) == 1).all()
    assert rows.shape == (100, 11)


def test_epochs_differ_and_are_counted(windows):
    flat = np.concatenate([windows.step(i)[:, 0] for i in range(29)])
    assert (flat[:100] != flat[100:200]).any()
    assert windows.epochs(29) == pytest.approx(2.03)


def test_ranks_share_a_step_out(windows):
    windows.batch = 6
    parts = [windows.step(5, rank, 2) for rank in (0, 1)]
    whole = windows.step(5)
    assert {tuple(row) for part in parts for row in part} == {tuple(row) for row in whole}
    np.testing.assert_array_equal(parts[0], whole[::2])
