"""Secrets out of traces that are there already: for `cat --redact`."""
