"""Commands that write figures, tables and pages."""
