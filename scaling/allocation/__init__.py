"""The compute-optimal N and D: isoFLOP minima, envelope, parametric fit, and the laws through them."""
