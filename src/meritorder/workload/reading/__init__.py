"""From a file to checked rows: its content, its recognition, the faults found, the options of a reader."""
