"""A fleet in virtual time: the event kernel, the stepwise oracle, results."""
