"""What runs inside the sandbox beside a forked server: standard library only."""
