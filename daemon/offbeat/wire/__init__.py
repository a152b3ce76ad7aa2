"""Bytes to tables. Pure: no socket, no clock, no database."""
from offbeat.wire.careful import decode_carefully
from offbeat.wire.decode import decode
from offbeat.wire.cutter import Block, Cutter
from offbeat.wire.encoding import Decompressor
from offbeat.wire.options import Format, Options, Precision

__all__ = ["Block", "Cutter", "Decompressor", "Format", "Options", "Precision", "decode", "decode_carefully"]
