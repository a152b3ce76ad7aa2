"""The journal's state machine: entries in, findings out. Pure: no clock, no disk, no socket, no randomness."""
