"""The files of the page, in memory once they were asked for, and the headers that they go out with."""
from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

STATIC = Path(__file__).parent / "static"
FOLDERS = ("lib", "style", "views")
MEDIA = {
    ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml",
}
CHARTS = "plotly.min.js"
"""plotly.js, out of the installed package of that name: no copy of it is kept here."""
SECURITY = "; ".join((
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",  # plotly.js makes style sheets of its own
    "img-src 'self' data: blob:",  # a chart becomes a picture by way of one of these
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
))
HEADERS = {
    "Content-Security-Policy": SECURITY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # asked for again each time, sent again only if it changed
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it goes out: as it is, compressed, and the tag by which a browser knows that it has it already."""

    media: str
    plain: bytes
    packed: bytes
    tag: str


@cache
def asset(name: str) -> Asset | None:
    """The file *name* of the page, as ``app.js`` or ``lib/time.js``; None if there is none.

    Only what lies there is found: nothing of *name* is taken for a way through the disk.
    """
    path = _known().get(name)
    if path is None:
        return None
    plain = path.read_bytes()
    tag = hashlib.blake2b(plain, digest_size=12).hexdigest()
    return Asset(MEDIA[path.suffix], plain, gzip.compress(plain, 6, mtime=0), f'"{tag}"')


@cache
def _known() -> dict[str, Path]:
    found = {path.name: path for path in STATIC.iterdir() if path.suffix in MEDIA}
    for folder in FOLDERS:
        found |= {f"{folder}/{path.name}": path for path in (STATIC / folder).iterdir() if path.suffix in MEDIA}
    spec = find_spec("plotly")  # not imported: it is the file beside it that is wanted
    if spec is not None and spec.origin is not None:
        found[f"vendor/{CHARTS}"] = Path(spec.origin).parent / "package_data" / CHARTS
    return found
