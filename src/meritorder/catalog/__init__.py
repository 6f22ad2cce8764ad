"""Facts about accelerators and models, each figure with source, date and confidence."""
