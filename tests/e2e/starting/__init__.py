"""Every way to start Python, and what becomes of a model call that is made so."""
