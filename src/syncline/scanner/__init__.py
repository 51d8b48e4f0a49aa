"""Looking at roots: what differs from the base, and the contents that must be read to decide."""
