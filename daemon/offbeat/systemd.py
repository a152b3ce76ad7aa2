"""What systemd and a daemon tell each other: readiness, the watchdog, inherited sockets. Without systemd: nothing.

Source: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).
"""
from __future__ import annotations

import os
import socket
from contextlib import suppress

from offbeat.errors import CannotStart

FIRST_FD = 3
"""Where inherited sockets begin (SD_LISTEN_FDS_START)."""

SEND_TIMEOUT_S = 1.0
"""Longest wait for a service manager that reads no messages: the event loop waits with it."""


def notify(state: str) -> None:
    """Tell the service manager *state*: ``READY=1``, ``WATCHDOG=1``, ``STOPPING=1``, ``STATUS=…``, lines of them.

    Nothing happens without NOTIFY_SOCKET. A message that cannot be delivered is dropped: events go on being taken
    while systemd restarts itself, and if it stays away, its own watchdog timer says so.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address[:1] not in ("/", "@"):
        return
    if address.startswith("@"):  # an abstract name, which the kernel knows by a leading zero byte
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
        sender.settimeout(SEND_TIMEOUT_S)
        sender.connect(address)
        sender.sendall(state.encode())


def watchdog_interval_s() -> float | None:
    """How often to send ``WATCHDOG=1``: half of what systemd allows (WATCHDOG_USEC). None: it does not watch us."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    allowed = os.environ.get("WATCHDOG_USEC", "")
    if not allowed.isdecimal() or int(allowed) == 0:
        return None
    return int(allowed) / 2 / 1_000_000


def listen_sockets() -> list[socket.socket]:
    """The listening sockets that systemd handed over, in the order of the unit file; empty if it handed over none.

    The caller owns them. Children do not inherit them, and the variables that name them are removed, so a second
    call answers with none. Raises CannotStart if what was handed over is not listening sockets.
    """
    pid = os.environ.pop("LISTEN_PID", "")
    count = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    found: list[socket.socket] = []
    try:
        for fd in range(FIRST_FD, FIRST_FD + int(count)):
            os.set_inheritable(fd, False)
            found.append(socket.socket(fileno=fd))
            if not found[-1].getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                raise OSError("not listening")
    except OSError as e:
        for taken in found:
            taken.close()
        raise CannotStart(
            f"file descriptor {fd}, handed over by systemd, is no listening socket: {e.strerror or e}",
            hint="the .socket unit must have ListenStream= and Accept=no", where={"fd": fd}) from e
    return found
