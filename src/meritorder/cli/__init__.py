"""The `merit` command: one thin file a verb."""
