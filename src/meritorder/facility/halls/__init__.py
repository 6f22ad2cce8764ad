"""Where racks stand: placing a fleet's machines into rows of halls, and what that leaves unused."""
