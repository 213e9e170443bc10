"""What hooks and Tracers tell, to events: exchanges to model calls, answers that ask for tools to tool calls."""
