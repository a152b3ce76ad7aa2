"""The library for programs that talk to a daemon: send, ask, follow. It knows the API, nothing of the daemon inside.

``Client`` waits for each answer, ``AsyncClient`` awaits it; what they do is the same code, in modules that touch no
socket. docs/client.md shows them in use.
"""
from offbeat.client.async_sender import AsyncSender
from offbeat.client.asynchronous import AsyncClient
from offbeat.client.blocking import Client
from offbeat.client.columns import Readings, to_arrays, to_pandas, to_structured
from offbeat.client.documents import Bucket, Explanation, Record, SeriesReadings, Source, SourceReadings
from offbeat.client.errors import (
    BadEvent,
    Busy,
    ClientError,
    Conflict,
    MissingPackage,
    NotAllowed,
    NotFound,
    NotInTime,
    NotOffbeat,
    NotReachable,
    QueueFull,
    Refusal,
    Undelivered,
)
from offbeat.client.following import Happened
from offbeat.client.receipts import Receipt, Rejection
from offbeat.client.retrying import Retry
from offbeat.client.sender import Sender

__all__ = [
    "AsyncClient",
    "AsyncSender",
    "BadEvent",
    "Bucket",
    "Busy",
    "Client",
    "ClientError",
    "Conflict",
    "Explanation",
    "Happened",
    "MissingPackage",
    "NotAllowed",
    "NotFound",
    "NotInTime",
    "NotOffbeat",
    "NotReachable",
    "QueueFull",
    "Readings",
    "Receipt",
    "Record",
    "Refusal",
    "Rejection",
    "Retry",
    "Sender",
    "SeriesReadings",
    "Source",
    "SourceReadings",
    "Undelivered",
    "to_arrays",
    "to_pandas",
    "to_structured",
]
