"""Connections that the agent made, and the events that explain them: what no event explains was not seen."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_MOST = 10_000  # places that are remembered


class Connections:
    """Who was connected to, against who was spoken with in events."""

    def __init__(self) -> None:
        # One place may have several names: what was asked for, and its address.
        self._opened: dict[tuple[tuple[str, ...], int], None] = {}
        self._explained: set[tuple[str, int]] = set()
        self._proxies: set[tuple[str, int]] = set()

    def opened(self, hosts: list[str], port: int, is_proxy: bool) -> None:
        """A process connects to this place. hosts: its names. is_proxy: it speaks for others."""
        if len(self._opened) < _MOST:
            self._opened[tuple(map(str, hosts)), int(port)] = None
        if is_proxy and len(self._proxies) < _MOST:
            self._proxies.update((str(host).lower(), int(port)) for host in hosts)

    def explained(self, url: str) -> None:
        """An event tells of an exchange at this URL."""
        try:
            parts = urlsplit(url)
            place = (parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 0))
        except ValueError:
            return
        if len(self._explained) < _MOST:
            self._explained.add(place)

    def unexplained(self) -> list[str]:
        """`host:port` of each place that no event tells of, in the order in which they were connected to."""
        # A hook may learn what is a proxy only after the connection to it was made.
        known = self._explained | (self._proxies if self._explained else set())
        return [
            _shown(hosts[0], port)
            for hosts, port in self._opened
            if not any((host.lower(), port) in known for host in hosts)
        ]


def _shown(host: str, port: Any) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
