"""The gateway: an OpenAI-compatible server in front of the real backends of a fleet."""
