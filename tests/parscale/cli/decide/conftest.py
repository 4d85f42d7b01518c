"""The trained sweep that `streams` and `context` read."""

from tests.sweeps.inspect.conftest import *  # noqa: F403
