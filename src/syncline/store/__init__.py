"""The state database: what was agreed, what was done, what is open. Observations and a journal, never pending work."""
