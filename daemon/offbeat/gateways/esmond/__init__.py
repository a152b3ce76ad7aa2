"""Clients of perfSONAR's esmond measurement archive: register, write, search and read, as they are."""
from offbeat.gateways.esmond.routes import ROUTES

__all__ = ["ROUTES"]
