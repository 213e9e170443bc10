"""Views of a trace, and formats of others."""
