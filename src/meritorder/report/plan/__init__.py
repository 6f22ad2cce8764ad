"""The report on a plan: what a planning meeting needs, on one page."""
