"""A reverse proxy on loopback that records, or answers, clients which the hooks don't see and which take base URLs
from the environment.
"""
