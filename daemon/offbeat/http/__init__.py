"""Our own API: one decision a request. No parsing of events, no database, no engine."""
