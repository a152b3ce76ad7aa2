"""Foreign protocols, one folder each: its routes and its translation, nothing else."""
from offbeat.gateways import energy, influx, prelert
from offbeat.http.route import Route

GATEWAYS: tuple[Route, ...] = (*influx.ROUTES, *prelert.ROUTES, *energy.ROUTES)
"""The routes of all gateways."""
