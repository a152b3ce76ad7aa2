"""Checks: plain rules on readings, which say GREEN, YELLOW or RED and why. Pure: readings in, a result out."""
