"""Mixtures: shares by weight, windows that follow from a number and a seed alone."""

import numpy as np
import pytest

from sweeps.corpora import build as corpora
from sweeps.corpora.mixture import MixedWindows, parts_of, shares_read
from sweeps.corpora.tokens import Windows
from tests.sweeps.made_text import text_of


def windows(seed=3, sizes=(4001, 2001, 1001), weights=(0.55, 0.3, 0.15)):
    """Of corpora whose ids tell them apart."""
    parts = [Windows(np.arange(n) + 10_000 * i, 10, 4, seed) for i, n in enumerate(sizes)]
    return MixedWindows(parts, list(weights), 4)


def test_shares_are_the_weights_after_any_number_of_windows():
    mixed = windows()
    read = np.concatenate([mixed.step(i)[:, 0] // 10_000 for i in range(150)])
    for count in (1, 7, 50, 333, 600):
        counts = [int((read[:count] == part).sum()) for part in range(3)]
        assert counts == mixed.read(count)
        assert np.abs(np.array(counts) - count * np.array(mixed.weights)).max() < 2
    assert mixed.shares(150) == [counts / 600 for counts in mixed.read(600)]
    assert list(shares_read("mix:55*a+30*b+15*c", 600).values()) == mixed.shares(150)
    assert mixed.shares(150) == pytest.approx(mixed.weights, abs=0.004)


def test_a_step_is_a_pure_function_of_seed_and_step():
    straight, again = windows(), windows()
    wanted = [straight.step(i) for i in range(60)]
    for i in (31, 2, 59, 0):
        np.testing.assert_array_equal(again.step(i), wanted[i])
    assert any((windows(seed=4).step(i) != wanted[i]).any() for i in range(3))
    halves = [windows().step(9, rank, 2) for rank in (0, 1)]
    np.testing.assert_array_equal(halves[1], wanted[9][1::2])


def test_no_window_is_read_twice_before_a_corpus_ends():
    mixed = windows()
    assert mixed.count == 666  # of the second and third corpus, 0.3 and 0.15 are to 200 and 100 windows
    firsts = np.concatenate([mixed.step(i)[:, 0] for i in range(mixed.count // 4)])
    assert len(set(firsts.tolist())) == len(firsts)
    assert mixed.epochs(mixed.count // 4) <= 1 < mixed.epochs(mixed.count // 4 + 3)


@pytest.mark.parametrize("name", ["mix:stdlib+code", "mix:0*stdlib+1*code", "mix:1*stdlib", "mix:1*a+2*a"])
def test_a_mixture_without_weights_is_refused(name):
    with pytest.raises(ValueError, match="mix:"):
        parts_of(name)


def test_a_glob_may_have_stars_and_weights_any_sum():
    assert [(p.name, p.weight) for p in parts_of("mix:7*files:a/*.txt+3*tokens:b#vocab=9")] == [
        ("files:a/*.txt", 0.7),
        ("tokens:b#vocab=9", pytest.approx(0.3)),
    ]


def test_corpora_of_a_mixture_share_a_tokenizer_and_hold_out_by_weight(cache):
    for part, shift in (("a", 0), ("b", 500)):
        (cache / part).mkdir()
        for i in range(160):
            (cache / part / f"{i}.txt").write_text(text_of(i + shift))
    name = f"mix:0.75*files:{cache}/a/*.txt+0.25*files:{cache}/b/*.txt"
    mixed = corpora.open_corpus(name, 300, lambda line: None)
    one, other = (corpora.open_corpus(part.name, 300, lambda line: None) for part in parts_of(name))
    assert mixed.tokenizer == one.tokenizer
    assert mixed.manifest["mixture"][0][2] == one.hash
    assert mixed.corpora[1].folder != other.folder  # it was encoded with the heavier one's tokenizer
    (first, last), (_, end) = mixed.valid_spans.values()
    assert (last - first) / end == pytest.approx(0.75, abs=0.001)
    np.testing.assert_array_equal(mixed.valid[:last], one.valid[:last])
    assert 1 < mixed.bytes_per_token() < 10
    assert corpora.open_corpus(name, 300, lambda line: pytest.fail(line)).hash == mixed.hash
