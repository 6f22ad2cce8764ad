"""The web pages: a chat with the gateway, and the fleet as it lives."""
