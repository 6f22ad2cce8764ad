"""Facts about accelerators, models and engines: every figure with source, date and confidence."""
