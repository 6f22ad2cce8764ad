"""Cross-validated accuracy of the cost models on measured data: what docs/accuracy.md is made of."""
