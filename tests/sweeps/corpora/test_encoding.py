"""The ids are the library's, whatever the text, its length and the tokenizer."""

import inspect
import json
import random
import shutil

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from sweeps.corpora import encoding
from sweeps.corpora.encoding import Encoder
from sweeps.corpora.tokens import END, train_tokenizer

CODE = inspect.getsource(json.decoder) + inspect.getsource(shutil)
PROSE = "It wasn't far, she'd said; they'll walk. 江水那年很低，渡船侧卧在岸边。 Où est-ce?  12 345\t\n\n"


@pytest.fixture(scope="module")
def qwen_like():
    """Split as Qwen2's, with its normaliser and an added token that is none of the special ones."""
    tokenizer = train_tokenizer([CODE, PROSE * 30], 600)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens(["<tool>"])
    return tokenizer


def gpt2_like():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([CODE], trainer)
    return tokenizer


def metaspace():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", END], show_progress=False)
    tokenizer.train_from_iterator([CODE], trainer)
    return tokenizer


def library(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def test_tokenizers_of_other_makes_give_the_librarys_ids():
    for tokenizer, quick in ((gpt2_like(), True), (metaspace(), False)):
        encoder = Encoder(tokenizer)
        assert bool(encoder.tiktoken) is quick
        for text in (CODE[:5000], PROSE, ""):
            assert encoder.ids(text).tolist() == library(tokenizer, text)


def swap_ids(model):
    """The lowest id is not the first merge any more."""
    first, second = ("".join(model["merges"][place]) for place in (3, 40))
    vocab = model["vocab"]
    vocab[first], vocab[second] = vocab[second], vocab[first]


def without_a_merge(model):
    """An entry stays that no merge makes any more."""
    del model["merges"][3]


def without_a_byte(model):
    """A byte has no entry."""
    model["vocab"]["unused"] = model["vocab"].pop("À")


@pytest.mark.parametrize("change", [swap_ids, without_a_merge, without_a_byte])
def test_merges_that_tiktoken_would_make_in_another_order_are_left_to_the_library(qwen_like, change):
    described = json.loads(qwen_like.to_str())
    change(described["model"])
    tokenizer = Tokenizer.from_str(json.dumps(described))
    encoder = Encoder(tokenizer)
    assert encoder.tiktoken is None
    assert encoder.ids(CODE).tolist() == library(tokenizer, CODE)


def test_every_kind_of_character_gives_the_librarys_ids(qwen_like):
    encoder, generator = Encoder(qwen_like), random.Random(0)
    assert encoder.tiktoken
    points = [c for c in range(0x11_0000) if not 0xD800 <= c < 0xE000]
    for _ in range(60):
        text = "".join(
            chr(c) + generator.choice(["", " ", "\n", "1", "a", "'s", "e\u0301"])
            for c in generator.sample(points[: generator.choice((1 << 9, 1 << 13, 1 << 21))], 60)
        )
        assert encoder.ids(text).tolist() == library(qwen_like, text)


def test_characters_that_one_library_knows_and_one_does_not_are_odd():
    characters = encoding.Characters()
    assert characters.agree("naïve 江水 \u3000\u0378")
    assert not characters.agree("It'\u017f")  # (?i:'s) may take the long s for an s
    characters.inside[0] = characters.inside[1]  # a library to which no letter is one
    assert characters.agree("水")  # as it was found before
    assert not characters.agree("河")


@pytest.mark.parametrize("character", [" ", "\u3000", "-"])
def test_a_long_run_of_one_character_is_encoded(qwen_like, character):
    text = character * (encoding.PIECE + 1000) + "x"
    assert qwen_like.decode(Encoder(qwen_like).ids(text).tolist()) == text


def test_a_special_token_inside_a_text_is_text(qwen_like):
    text = f"before {END} after <tool>"
    assert 0 not in Encoder(qwen_like).ids(text)
    assert qwen_like.decode(Encoder(qwen_like).ids(text).tolist(), skip_special_tokens=False) == text
    assert 0 in Encoder(qwen_like, literal=False).ids(text)  # as format 1 has it
    assert qwen_like.token_to_id("<tool>") in Encoder(qwen_like).ids(text)


def chinese(count):
    generator = random.Random(2)
    return "".join(generator.choice("江水那年很低渡船侧卧在岸边。，") for _ in range(count))


@pytest.mark.parametrize(
    "text", [CODE, PROSE * 400, chinese(30_000), chinese(30_000).translate({12290: None})]
)
def test_a_long_text_is_cut_where_its_ids_do_not_change(qwen_like, monkeypatch, text):
    encoder = Encoder(qwen_like)
    whole = encoder.ids(text).tolist()
    monkeypatch.setattr(encoding, "PIECE", 3000)
    pieces = list(encoder._pieces(text))
    assert len(pieces) >= 8
    assert "".join(pieces) == text
    assert encoder.ids(text).tolist() == whole
