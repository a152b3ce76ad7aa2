"""All kernels of this room compiled, or read from numba's cache, before anybody waits for them."""
from __future__ import annotations

from offbeat.config import IngestConfig
from offbeat.wire.cutter import Cutter
from offbeat.wire.decode import decode
from offbeat.wire.options import Format, Options

TINY: dict[Format, bytes] = {
    "ndjson": b'{"time":"2023-11-14T22:13:20Z","source":"a","value":1,"text":"b"}\n{"value":"\\u0061"}\n',
    "json": b'[{"value":1}]',
    "csv": b'source,value\na,1\n"b",2\n',
    "influx": b'm,host=a,b=c value=1,text="d"\nm value=1\nm\\ n value=1\n',
}


def warm_up() -> None:
    """Decode a tiny body of every format, and cut it: after that no call waits for a compilation."""
    for format, body in TINY.items():
        options = Options.of(IngestConfig(), format)
        decode([body], options, [0])
        cutter = Cutter(options)
        for block in cutter.feed(body) + cutter.finish():
            decode([block.body], cutter.block_options, [0], [block.first_line])
