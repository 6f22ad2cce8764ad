"""Embedded engines: llama.cpp's own server in processes of ours, with a small model, for `merit up`."""
