"""The real servers behind the gateway: what each kind says about itself, and whether it may be used now."""
