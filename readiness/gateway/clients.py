"""Who a request is from, for counting it."""

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
IPV6_SITE = 64  # bits; one site has all addresses below them


def client_of(peer: str, headers: Mapping[str, str], proxies: Sequence[Network]) -> str:
    """The peer, or what trusted proxies say of it: the nearest address of X-Forwarded-For that is not one of them.

    Addresses of one IPv6 site are one client.
    """
    if not proxies:
        return _alone(peer)
    address = _address(peer)
    hops = [hop.strip() for hop in headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    while address and hops and any(address in proxy for proxy in proxies):
        address = _address(hops.pop()) or address
    return _site(address) if address else peer


def visitor_of(peer: str, proxies: Sequence[Network]) -> str | None:
    """Who holds a connection; None for a trusted proxy, which holds those of others."""
    address = _address(peer) if proxies else None
    return None if address and any(address in proxy for proxy in proxies) else _alone(peer)


@lru_cache(maxsize=4096)
def _alone(peer: str) -> str:
    """A peer that speaks for itself; it asks again and again."""
    address = _address(peer)
    return _site(address) if address else peer


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _site(address: Address) -> str:
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, IPV6_SITE), strict=False))
