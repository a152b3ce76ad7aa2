"""When a request is sent again, and after how long. Pure: the time is given, the chance is given."""
from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from offbeat.client.errors import ClientError, NotReachable, Refusal

RETRIED = frozenset((408, 429, 502, 503, 504))
NOTHING_DONE = frozenset((429, 503))
"""The daemon says with these that it did nothing, so that anything may be asked again."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long a request is repeated.

    patience_s  no repetition begins later than this after the first failure; 0: none
    first_s     wait after the first failure; it doubles with each, up to
    longest_s   this
    jitter      a number in [0, 1) for each wait, so that many programs do not come back at one moment: of a wait of
                our own between half and all is waited, of one that the daemon asks for up to a quarter more
    """

    patience_s: float = 60.0
    first_s: float = 0.25
    longest_s: float = 10.0
    jitter: Callable[[], float] = random.random


CALL_RETRY = Retry(patience_s=10.0)
"""Of questions: whoever asks waits for the answer."""
SENDER_RETRY = Retry(patience_s=300.0)
"""Of a sender's batches, and of breaks of a stream: a daemon that is started anew is there again long before."""


class Attempts:
    """The failures of one request so far.

    safe  asking twice is asking once: reading, replacing, or a body with its Idempotency-Key
    """

    def __init__(self, retry: Retry, *, safe: bool) -> None:
        self._retry, self._safe = retry, safe
        self._backoff_s = retry.first_s
        self._began_s: float | None = None
        self.count = 0

    def wait_s(self, error: ClientError, now_s: float) -> float:
        """How long to wait until the request is sent again. Raises *error* if it is not."""
        retry = self._retry
        if not self._repeatable(error):
            raise error
        asked_s = error.retry_after_s if isinstance(error, Refusal) else None
        if asked_s is None:
            wait_s = self._backoff_s * (0.5 + 0.5 * retry.jitter())
            self._backoff_s = min(retry.longest_s, 2 * self._backoff_s)
        else:
            wait_s = max(asked_s, retry.first_s) * (1.0 + 0.25 * retry.jitter())
        if self._began_s is None:
            self._began_s = now_s
        if now_s + wait_s - self._began_s > retry.patience_s:
            raise error
        self.count += 1
        return wait_s

    def _repeatable(self, error: ClientError) -> bool:
        if isinstance(error, Refusal):
            return error.status in (RETRIED if self._safe else NOTHING_DONE)
        if isinstance(error, NotReachable):
            return self._safe or not error.sent
        return self._safe and error.status in RETRIED  # a proxy's own page, while the daemon restarts
