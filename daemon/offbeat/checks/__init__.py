"""Checks in the daemon: rules bound to series, when they run and in which process, and what they last said."""
