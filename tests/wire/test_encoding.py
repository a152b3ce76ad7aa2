"""Content-Encoding: every piece is small, every damage is named."""
from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib

import pytest
import zstandard

from offbeat.errors import BadBody, BodyTooLarge, UnsupportedMedia
from offbeat.wire import Decompressor

BODY = random.Random(7).randbytes(5000) * 300 + b"m a=1\n" * 400_000
RAW = zlib.compressobj(wbits=-15)
FRAMES = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
ENCODED = {
    "identity": BODY, "": BODY, "gzip": gzip.compress(BODY, 1), "X-GZIP": gzip.compress(BODY, 1),
    "deflate": zlib.compress(BODY, 1),
    "deflate ": RAW.compress(BODY) + RAW.flush(), "zstd": zstandard.compress(BODY),
    "Zstd": FRAMES.compress(BODY) + FRAMES.flush(),
    "gzip, zstd": zstandard.compress(gzip.compress(BODY, 1)), "zstd,gzip": gzip.compress(zstandard.compress(BODY), 1)}
SKIPPABLE = (0x184D2A57).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"hello"


def decompressed(encoding: str, data: bytes, chunk_bytes: int, bytes_max: int = 1 << 30) -> bytes:
    decompressor = Decompressor(encoding, bytes_max)
    pieces = [piece for at in range(0, len(data),
        chunk_bytes) for piece in decompressor.feed(data[at : at + chunk_bytes])]
    decompressor.finish()
    assert all(0 < len(piece) <= 1024 * 1024 for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("chunk_bytes", [61, 4096, 1 << 30])
@pytest.mark.parametrize("encoding", ENCODED)
def test_a_body_comes_out_as_it_was_whatever_the_chunks(encoding: str, chunk_bytes: int) -> None:
    assert decompressed(encoding, ENCODED[encoding], chunk_bytes) == BODY


@pytest.mark.parametrize(("encoding", "data", "body"), [
    ("gzip", gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0\0", b"ab"),
    ("zstd", zstandard.compress(b"a") + SKIPPABLE + zstandard.compress(b"") + zstandard.compress(b"b"), b"ab"),
    ("gzip", b"", b""), ("deflate", b"", b""), ("zstd", b"", b""), ("gzip", gzip.compress(b""), b"")])
@pytest.mark.parametrize("chunk_bytes", [1, 1 << 30])
def test_several_members_follow_one_another(encoding: str, data: bytes, body: bytes, chunk_bytes: int) -> None:
    assert decompressed(encoding, data, chunk_bytes) == body


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "deflate ", "zstd", "Zstd", "gzip, zstd"])
def test_a_body_that_ends_early_is_refused(encoding: str) -> None:
    data = ENCODED[encoding][:-3]
    with pytest.raises(BadBody, match="ends early") as refused:
        decompressed(encoding, data, 4096)
    assert refused.value.where == {"byte": len(data)}


@pytest.mark.parametrize(("encoding", "data"), [
    ("gzip", b"hello"), ("zstd", b"hello"), ("deflate", b"hello world"), ("deflate", zlib.compress(b"a") + b"x"),
    ("gzip", gzip.compress(b"a") + b"x"),
    ("zstd", ENCODED["Zstd"][:100] + b"\xff\xff\xff\xff" + ENCODED["Zstd"][104:]),
    ("gzip", ENCODED["gzip"][:100] + b"\xff\xff" + ENCODED["gzip"][102:])])
@pytest.mark.parametrize("chunk_bytes", [1000, 1 << 30])
def test_a_damaged_body_is_refused_with_the_place(encoding: str, data: bytes, chunk_bytes: int) -> None:
    with pytest.raises(BadBody) as refused:
        decompressed(encoding, data, chunk_bytes)
    assert 0 < refused.value.where["byte"] <= len(data)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd", "zstd, gzip"])
def test_a_bomb_is_refused_before_it_stands_in_memory(encoding: str) -> None:
    zeros = b"\0" * (256 << 20)
    bomb = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress,
            "zstd, gzip": lambda data: gzip.compress(zstandard.compress(data))}[encoding](zeros)
    del zeros
    decompressor = Decompressor(encoding, 128 << 20)
    tracemalloc.start()
    with pytest.raises(BodyTooLarge):
        for _ in decompressor.feed(bomb):
            pass
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 16 << 20


def test_an_encoding_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnsupportedMedia) as refused:
        Decompressor("br", 1000)
    assert "zstd" in refused.value.hint
    with pytest.raises(UnsupportedMedia):
        Decompressor("gzip, gzip, gzip", 1000)
