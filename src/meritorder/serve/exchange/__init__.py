"""One request's life: sent to a backend, tried again or taken up elsewhere when that fails, and accounted for."""
