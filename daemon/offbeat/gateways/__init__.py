"""Foreign protocols, one folder each: its routes and its translation, nothing else."""
from offbeat.gateways import influx, prelert
from offbeat.http.route import Route

GATEWAYS: tuple[Route, ...] = (*influx.ROUTES, *prelert.ROUTES)
"""The routes of all gateways."""
