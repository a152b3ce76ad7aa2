"""``offbeat parse-service``: the stateless half of the energy-sensors protocol, by itself."""
from __future__ import annotations

import click


@click.command("parse-service")
@click.option("--host", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=5001, show_default=True,
              help="Port to listen on; 0 takes any free one.")
def parse_service(host: str, port: int) -> None:
    """Answer POST /log/parse with the event of each energy meter's line, until it is stopped. It keeps nothing."""
    import asyncio

    from offbeat.meters.parse_service import serve

    asyncio.run(serve(host, port))
