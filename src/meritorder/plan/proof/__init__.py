"""The proof: a plan's fleets on their traffic, request by request; capacities are corrected by what comes of it."""
