"""The paper's numbers: fits, tables, figures and an audit of its claims."""
