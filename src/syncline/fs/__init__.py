"""Roots: how a directory tree is read, watched and changed, and what each kind of file system can do."""
