"""How an unchanged agent is seen, and in replay answered. It runs in the agent's own Python.

Standard library alone, relative imports alone: in an agent it is loaded from its folder under the name
`_agenttrace_capture`, where nothing else of AgentTrace is installed.
"""
