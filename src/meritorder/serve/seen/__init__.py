"""What can be seen of the gateway: metrics, traces, the request log, and recorded traffic."""
