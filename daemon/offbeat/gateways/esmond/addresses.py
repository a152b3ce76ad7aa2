"""Addresses as they are compared: literals in one spelling, host names as the addresses that they stand for.

Source: esmond measurement archive, section 9.2.
"""
from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import ip_address, ip_network

from offbeat.errors import BadRequest
from offbeat.gateways.esmond.errors import shown, wrong

LOOKUP_S = 5.0
RULES: dict[str, tuple[int, ...]] = {
    "v4v6": (4, 6), "only-v4": (4,), "only-v6": (6,), "prefer-v4": (4, 6), "prefer-v6": (6, 4),
}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


def canonical(value: object, where: str) -> str:
    """The one spelling of an address. Raises BadRequest for what is none."""
    try:
        return str(ip_address(value.strip() if isinstance(value, str) else ""))
    except ValueError:
        raise wrong(where, value, "an IP address") from None


def among(address: str, networks: Iterable[str]) -> bool:
    """Whether *address* is in one of *networks*."""
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in ip_network(network) for network in networks)


async def addresses_of(name: str, text: str, rule: str) -> tuple[str, ...]:
    """The addresses that *text* stands for, as the value of filter *name*; at most one a family. Raises BadRequest."""
    if rule not in RULES:
        raise wrong("dns-match-rule", rule, ", ".join(RULES))
    found: list[str] = []
    for version in RULES[rule]:
        if found and rule.startswith("prefer"):
            break
        found += await _lookup(text, version)
    if not found:
        raise BadRequest(f"{name} is {shown(text)}: no address was found for it by the rule {rule}")
    return tuple(found)


async def _lookup(text: str, version: int) -> list[str]:
    try:
        literal = ip_address(text.strip())
    except ValueError:
        pass
    else:
        return [str(literal)] if literal.version == version else []
    try:
        async with asyncio.timeout(LOOKUP_S):
            found = await asyncio.get_running_loop().getaddrinfo(
                text, None, family=FAMILIES[version], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError, TimeoutError):  # unknown, or no name at all
        return []
    return [str(ip_address(found[0][4][0]))] if found else []
