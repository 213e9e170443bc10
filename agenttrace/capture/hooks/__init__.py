"""One file per library that is hooked."""
