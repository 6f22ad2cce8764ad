"""The stepwise simulator in plain Python, one iteration at a time: slow, obvious, and what the kernel must equal."""
