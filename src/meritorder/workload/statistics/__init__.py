"""What a trace is like: rates, bursts, lengths, prefix reuse, and what its recording hides."""
