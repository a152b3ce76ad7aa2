"""Detectors of sensors that leave their rhythm: arrays in, arrays out; knows nothing of the daemon."""
