"""What energy meters say: their lines, the events in them, and a service that does nothing but read lines. No store.

It stands apart from ``wire``, so that the service starts without a compiled kernel.
"""
