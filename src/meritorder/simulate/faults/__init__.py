"""What breaks: the fleet file's faults, drawn and laid out as arrays that the kernel and the oracle read."""
