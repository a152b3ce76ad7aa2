"""Clients of the MultiViz Analytics Engine (va-mvg): the newest at /mvg, older ones below it by their version."""
from offbeat.gateways.mvg.routes import ROUTES

__all__ = ["ROUTES"]
