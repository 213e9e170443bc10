"""What our own code draws of the system: bound before the hooks are in, so that it is never taken for the agent's."""

from os import getpid, urandom
from time import monotonic_ns, time_ns

__all__ = ["getpid", "monotonic_ns", "time_ns", "urandom"]
