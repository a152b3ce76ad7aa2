"""From findings to alerts: which are told, to whom, when no more; and why one was not."""
