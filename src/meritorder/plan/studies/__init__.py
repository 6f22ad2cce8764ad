"""What a planner is asked after "what does it cost": prices, alternatives, conflicts, strandings, regrets, ranges."""
