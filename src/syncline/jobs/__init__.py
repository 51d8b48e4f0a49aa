"""Kinds of job: what each one wants. One file per kind."""
