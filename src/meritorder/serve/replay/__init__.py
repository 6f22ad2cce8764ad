"""A trace asked of a live endpoint, request by request on schedule, and what came of it."""
