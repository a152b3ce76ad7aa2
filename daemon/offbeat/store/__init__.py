"""SQLite: what stays. One connection writes, a few read; nothing else opens the file."""
