"""What clients of InfluxDB write, versions 1 and 2: line protocol in, their own answers out. It answers no queries."""
from offbeat.gateways.influx.routes import ROUTES

__all__ = ["ROUTES"]
