"""Foreign protocols, one folder each: its routes and its translation, nothing else."""
from offbeat.gateways import energy, esmond, influx, mvg, prelert
from offbeat.http.route import Route

GATEWAYS: tuple[Route, ...] = (
    *influx.ROUTES, *prelert.ROUTES, *esmond.ROUTES, *mvg.ROUTES, *energy.ROUTES,
)
"""The routes of all gateways."""
