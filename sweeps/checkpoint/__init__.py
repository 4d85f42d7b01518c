"""Checkpoints in the released ParScale format, and P chosen at inference."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweeps.checkpoint.released_format import load_checkpoint as load
    from sweeps.checkpoint.released_format import save_checkpoint as save

__all__ = ["load", "save"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'sweeps.checkpoint' has no attribute {name!r}")
    from sweeps.checkpoint import released_format  # loads torch, which planning a sweep does without

    return getattr(released_format, f"{name}_checkpoint")
