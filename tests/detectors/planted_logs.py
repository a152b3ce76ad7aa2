"""Log messages with known templates, seeded: what a categorizer should find again."""
from __future__ import annotations

import random
import uuid

from offbeat_detectors.buckets.log_words import PARTICLES, TELLING, TRADE

TEMPLATES = (
    "Node {ip}:{port} lost connection to coordinator after {n} ms",
    "Node {ip}:{port} joined cluster {host}",
    "Failed password for invalid user {user} from {ip} port {port} ssh2",
    "Accepted publickey for {user} from {ip} port {port} ssh2: RSA {hex}",
    "session opened for user {user} by (uid={n})",
    "session closed for user {user}",
    "GET /api/v1/items/{n} HTTP/1.1 returned 200 in {n} ms",
    "POST /api/v1/orders HTTP/1.1 returned 500: upstream timed out while reading response header",
    "Received block blk_{n} of size {n} from /{ip}",
    "PacketResponder {n} for block blk_{n} terminating",
    "Verification succeeded for blk_{n}",
    "Deleting block blk_{n} file /mnt/hadoop/dfs/data/current/subdir{n}/blk_{n}",
    "java.lang.OutOfMemoryError: Java heap space while allocating {n} bytes in worker {host}",
    "Transaction {uuid} committed in {n} ms with {n} rows updated",
    "Transaction {uuid} rolled back: deadlock detected on table {user}",
    "Kernel: CPU{n}: Core temperature above threshold, cpu clock throttled (total events = {n})",
    "DHCPREQUEST for {ip} from {mac} via eth{n}",
    "DHCPACK on {ip} to {mac} via eth{n}",
    "Disk /dev/sd{n} usage at {n}% exceeds limit, cleaning temporary files",
    "Certificate for {host}.example.org expires in {n} days",
    "Scheduled job {user} started by scheduler on {host}",
    "Scheduled job {user} finished with status {n} after {n} seconds",
    "Sensor {uuid} reported value {float} outside of range [{float}, {float}]",
    "Replication lag of replica {host} is {n} seconds, primary is at {hex}",
)
USERS = ("root", "admin", "alice", "bob", "carol", "dave", "erin", "mallory", "oscar", "peggy", "backup", "guest")
HOSTS = ("atlas", "hermes", "zeus", "apollo", "artemis", "demeter", "hestia", "athena", "ares", "hades")
PLACES = ("{n}", "{ip}", "{uuid}", "id={hex}", "/var/{n}/x.log")


def planted(count: int, seed: int, templates: tuple[str, ...] = TEMPLATES) -> tuple[list[str], list[int]]:
    """*count* messages in random order, and the number of the template of each."""
    rng = random.Random(seed)
    which = [rng.randrange(len(templates)) for _ in range(count)]
    return [filled(templates[each], rng) for each in which], which


def filled(template: str, rng: random.Random) -> str:
    """The template with a value in each of its places."""
    made = {
        "{ip}": lambda: ".".join(str(rng.randrange(256)) for _ in range(4)),
        "{port}": lambda: str(rng.randrange(1024, 65536)), "{n}": lambda: str(rng.randrange(10**rng.randrange(1, 9))),
        "{hex}": lambda: f"{rng.getrandbits(64):x}", "{float}": lambda: f"{rng.gauss(0, 100):.3f}",
        "{uuid}": lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "{mac}": lambda: ":".join(f"{rng.randrange(256):02x}" for _ in range(6)),
        "{user}": lambda: rng.choice(USERS), "{host}": lambda: rng.choice(HOSTS),
        "{name}": lambda: nonsense(rng)}
    for name, value in made.items():
        while name in template:
            template = template.replace(name, value(), 1)
    return template


def some_templates(count: int, seed: int) -> tuple[str, ...]:
    """Templates of 4 to 14 words of the trade and of none, with 1 to 4 places for numbers and one for a name.

    Any two differ in most of their words.
    """
    rng = random.Random(seed)
    words = sorted(TELLING) + sorted(TRADE) + sorted(PARTICLES) + [nonsense(rng) for _ in range(400)]
    made = []
    for _ in range(count):
        line = rng.sample(words, rng.randrange(4, 15))
        for _ in range(rng.randrange(1, 5)):
            line.insert(rng.randrange(len(line) + 1), rng.choice(PLACES))
        line.insert(rng.randrange(len(line) + 1), "{name}")
        made.append(" ".join(line))
    return tuple(made)


def nonsense(rng: random.Random) -> str:
    """A name that is no word of any language."""
    return "".join(rng.choice("bcdfghjklmnprstvwz") + rng.choice("aeiou") for _ in range(rng.randrange(2, 5)))
