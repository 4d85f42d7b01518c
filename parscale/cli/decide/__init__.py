"""Commands that turn a fit or a sweep into a decision."""
