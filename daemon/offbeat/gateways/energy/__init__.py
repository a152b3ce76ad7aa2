"""What energy meters of the energy-sensors protocol send: lines or event objects in, the averages per cluster out."""
from offbeat.gateways.energy.routes import ROUTES

__all__ = ["ROUTES"]
