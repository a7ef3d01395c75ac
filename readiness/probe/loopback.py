"""Addresses of this machine."""

import ipaddress
from urllib.parse import urlsplit


def client_address(number: int) -> str:
    """The address of a client on loopback, by its number below 64,000."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine by a loopback address or `localhost`. Nothing is resolved."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
