"""The ParScale transformer."""

from sweeps.model.parscale import ParScaleLM

__all__ = ["ParScaleLM"]
