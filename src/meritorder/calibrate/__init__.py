"""A machine profile from a live endpoint or an engine's log: sweep, fit, check."""
