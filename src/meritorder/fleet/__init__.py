"""The fleet file: schema, loading with line numbers, checks."""
