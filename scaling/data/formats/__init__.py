"""Forms of tables: text with separators, JSON."""
