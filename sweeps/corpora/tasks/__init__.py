"""Tasks that tell memory from reasoning: corpora whose answers can be verified."""
