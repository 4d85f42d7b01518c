"""A sweep on disk: tables, locks, checksums, status."""

from sweeps.store.store import Store

__all__ = ["Store"]
