"""A server of the Model Context Protocol over standard input and output, whose tool makes one model call."""

import agent_module
from mcp.server.mcpserver import MCPServer

server = MCPServer("calls")


@server.tool()
def ask() -> str:
    """Ask the model."""
    agent_module.call()
    return "done"


if __name__ == "__main__":
    server.run()
