"""The wrapped command: as a process with its signals and streams, and the Unix socket that its hooks speak to."""
