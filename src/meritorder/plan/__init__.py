"""Years: from demand to a build schedule that is proven by simulation."""
