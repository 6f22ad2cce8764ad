"""Seconds of one kernel on one GPU by its shape: an equation of the machine, times a map of what it leaves over."""
