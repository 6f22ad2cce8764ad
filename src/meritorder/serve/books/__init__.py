"""The books: what all workers of the gateway know together about their replicas, in one piece of shared memory."""
