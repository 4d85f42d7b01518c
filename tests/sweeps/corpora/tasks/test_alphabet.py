"""The characters of tasks, one token each."""

from tokenizers import Tokenizer

from sweeps.corpora.tasks.alphabet import CHARACTERS, SIZE, codes_of, digits_of, text_of, write_tokenizer
from sweeps.corpora.tokens import END


def test_the_tokenizer_gives_each_character_its_token(tmp_path):
    write_tokenizer(tmp_path / "tokenizer.json")
    read = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = "a>c,c?2=b\n07+" + CHARACTERS
    assert read.encode(text).ids == codes_of(text).tolist()
    assert read.decode(codes_of(text).tolist()) == text_of(codes_of(text)) == text
    assert (read.token_to_id(END), read.get_vocab_size()) == (0, SIZE)


def test_numbers_have_zeros_before_them():
    assert text_of(digits_of(codes_of("\n")[0] * 0 + 7, 3)) == "007"
