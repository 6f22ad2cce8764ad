"""OpenAI-compatible endpoints that keep a fleet's timing: the stepwise simulator's engines, driven by the clock."""
