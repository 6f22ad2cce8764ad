"""What a plan says, as rows of tables: orders, megawatts, cash, unit costs, headroom; and the files of a run."""
