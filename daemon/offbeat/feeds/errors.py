"""What a feed can refuse, and what can be wrong with its source."""
from __future__ import annotations

from offbeat.errors import Conflict, NotFound


class NoFeed(NotFound):
    """The job has no feed."""

    code = "job_has_no_feed"


class CannotStartFeed(Conflict):
    """The feed is at work already, or could not be if it were started."""

    code = "feed_cannot_be_started"


class CannotStopFeed(Conflict):
    """The feed is not at work."""

    code = "feed_cannot_be_stopped"


class CannotChangeFeed(Conflict):
    """A feed can be changed only while it is stopped."""

    code = "feed_cannot_be_changed"


class MissingExtra(CannotStartFeed):
    """What the source needs is not installed."""

    code = "extra_not_installed"


class FeedTrouble(Exception):
    """The source cannot be read now; it is tried again. The message is one sentence for a person."""
