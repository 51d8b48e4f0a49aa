"""`python -m syncline`: the same program as the `syncline` command."""

from syncline.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
