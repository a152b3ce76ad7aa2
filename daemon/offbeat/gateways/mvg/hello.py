"""The root: who is here, which version, which colours.

Source: MVG wire protocol, section 3.
"""

from __future__ import annotations

from aiohttp import web

from offbeat.gateways.mvg.call import Call, answered
from offbeat.gateways.mvg.values import ID_CHARACTERS_MAX
from offbeat.vibration.task import FEATURES

MODES = (
    "gray", "white", "blue", "fuchsia", "orange", "aqua", "pink", "steelblue", "olive", "purple", "darkgoldenrod",
    "mediumseagreen", "indigo", "lightcoral", "black",
)
"""From mode -2, uncertain, and -1, no data, to 12."""
LABELS = (
    "white", "orangered", "coral", "darksalmon", "darkviolet", "mediumorchid", "mediumpurple", "thistle", "slategrey",
    "silver", "sienna", "tan", "moccasin", "khaki",
)
"""From label -1 to 12."""


async def get_root(call: Call) -> web.Response:
    """Say hello."""
    base, config = call.dialect.base, call.config
    message: dict[str, object] = {
        "api": {
            "name": "MultiViz Engine API",
            "version": call.dialect.version or config.version,
            "swagger": f"{call.request.scheme}://{call.request.host}/docs",
        },
        "endpoint": f"{call.request.scheme}://{call.request.host}{base}",
        "features": dict.fromkeys(FEATURES, True),
        "request_status": ["queued", "ongoing", "successful", "failed"],
        "traffic_limit": config.body_bytes_max,
        "max_source_id_length": ID_CHARACTERS_MAX,
        "max_number_of_sources": config.sources_max,
    }
    if call.dialect.content:
        message["content"] = {
            "color_scheme": {
                "modes": {str(i - 2): colour for i, colour in enumerate(MODES)},
                "labels": {str(i - 1): colour for i, colour in enumerate(LABELS)},
            }
        }
    return answered({"message": message})
