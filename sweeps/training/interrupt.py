"""How a run says that it was stopped. Apart, so that launchers need not import torch to catch it."""

from __future__ import annotations


class Interrupted(Exception):
    """The run was asked to stop. Its state is on disk and the next start goes on from there."""
