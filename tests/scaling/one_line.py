"""Messages of errors, checked to be one line."""

import pytest


def in_one_line(error: pytest.ExceptionInfo) -> str:
    """The message, checked to be one line of at most two sentences."""
    words = str(error.value)
    assert len(words.splitlines()) == 1
    assert len(words) < 300
    return words
