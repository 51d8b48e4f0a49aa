"""The pure part: nouns, decisions and plans. Nothing here reads a clock, a disk or the environment."""
