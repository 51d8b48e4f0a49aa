"""Carrying a plan out so that a crash at any instant loses nothing, and finishing what a crash left begun."""
