"""One module per revision, each named for what it brings."""
