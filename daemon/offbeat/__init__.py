"""Offbeat listens to sensors and says when one leaves its rhythm."""
