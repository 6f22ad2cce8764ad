"""Traffic drawn from a specification: arrivals, sessions, lengths, shared prompts; and ready presets."""
