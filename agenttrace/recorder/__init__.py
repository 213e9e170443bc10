"""`agenttrace record`: runs a command, and the collector that writes down what it does."""
