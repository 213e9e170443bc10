"""One screen each: the runs of a folder, a trace, an event in full, the help."""
