"""Reading runs tables, choosing rows, and files written whole or not at all."""
