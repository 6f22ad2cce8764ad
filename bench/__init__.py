"""Measures every published figure of speed and memory: `python -m bench`, one module per bar."""
