"""Traffic: readers for public trace formats, one columnar `Trace`, statistics, synthesis."""
