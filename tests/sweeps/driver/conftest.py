"""A sweep with no runs yet."""

import pytest

from sweeps.store.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "sweep")
    store.create("ci", "")
    return store
