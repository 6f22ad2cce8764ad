"""Power of the live fleet: measured, limited, and kept by the controller that the simulator runs."""
