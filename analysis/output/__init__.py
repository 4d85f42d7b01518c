"""One look for figures, tables and HTML pages, and the one way they reach a file."""
