"""The fits behind the traffic presets: one file a source."""
