"""Keeping a site within its power: one controller, in virtual time and in real time."""
