"""Times syncline beside other programs that do the same work, on the same trees, in turn: `script/bench --help`."""
