"""How a run says that it was stopped; apart, so that launchers need not import torch to catch it."""

from __future__ import annotations


class Interrupted(Exception):
    """The run was asked to stop; its state is on disk and the next start goes on from there."""
