"""Commands that make, describe and move trained models."""
