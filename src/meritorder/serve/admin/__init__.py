"""The admin port: metrics, state and control of a running gateway, for operators, not for clients."""
