"""Load models; cores, devices and processes."""
