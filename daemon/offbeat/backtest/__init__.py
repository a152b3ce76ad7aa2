"""Another configuration over the same readings: what it would have said. No socket, no terminal."""
