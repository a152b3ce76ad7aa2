"""Bytes to tables. Pure: no socket, no clock, no database."""
from offbeat.wire.careful import decode_carefully
from offbeat.wire.cutter import Block, Cutter
from offbeat.wire.decode import NeedsCare, decode
from offbeat.wire.encoding import Decompressor
from offbeat.wire.options import Format, Options, Precision
from offbeat.wire.warm import warm_up

__all__ = [
    "Block", "Cutter", "Decompressor", "Format", "NeedsCare", "Options", "Precision", "decode", "decode_carefully",
    "warm_up",
]
