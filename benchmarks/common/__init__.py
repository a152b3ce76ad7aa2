"""What the benchmarks share: events, load, a daemon to measure, the machine, reports. No benchmark lives here."""
