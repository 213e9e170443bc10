"""The terminal browser of traces; loaded by the `tui` command alone."""
