"""Analyses of measurements with many samples, as jobs: asked for, queued, computed by a process of their own, kept."""
