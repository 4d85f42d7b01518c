"""An empty store."""

import pytest

from sweeps.store.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "sweep")
    store.create("s", "a rule")
    return store
