"""Registration, metrics and comparison, on arrays."""
