"""The compiled event kernel: jumps over decode iterations in closed form, so that cost grows with requests."""
