"""How long one engine iteration takes on a replica, how many joules, and how much KV cache fits."""
