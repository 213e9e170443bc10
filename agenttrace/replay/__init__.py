"""`agenttrace replay`: answers a program from a trace, and says where it went another way."""
