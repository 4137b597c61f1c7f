"""What a purchase earns; see `reward`."""
