"""Clients of the Prelert Engine: the whole of its API, versions 0.3 to 2, at /engine."""
from offbeat.gateways.prelert.routes import ROUTES

__all__ = ["ROUTES"]
