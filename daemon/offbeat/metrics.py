"""What is counted and timed, by name: every instrument of /metrics, once. The docs' table is docs/metrics.md."""
from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STEPS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Upper bounds of the histograms: from a tiny decode to a disk that hangs."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series per counter that says only when the process began


class Metrics:
    """The instruments of one daemon, in a registry of their own, so that two daemons in one process do not mix.

    Each attribute has the name of its metric without the prefix ``offbeat_`` and, for counters, with ``_total``.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.events_accepted_total = self._counter("events_accepted_total", "Events that were taken and are durable.")
        self.lines_rejected_total = self._counter(
            "lines_rejected_total", "Lines that were not taken, by reason.", "code"
        )
        self.bodies_refused_total = self._counter(
            "bodies_refused_total",
            "Bodies refused with 429 for a bound: what may wait for the engine (pending), what it may hold (tail).",
            "bound",
        )
        self.bodies_total = self._counter(
            "bodies_total", "Bodies of events that were read to their end, by format.", "format"
        )
        self.late_events_total = self._counter("late_events_total", "Events older than the oldest bucket still open.")
        self.findings_total = self._counter("findings_total", "Records that the engine wrote.")
        self.findings_hidden_total = self._counter(
            "findings_hidden_total", "What would have been a record, had feedback not adjusted its series."
        )
        self.findings_suppressed_total = self._counter(
            "findings_suppressed_total",
            "What would have been a record but for a rule: held by its incident, damped by earlier peaks, silence that "
            "was told.",
            "rule",
        )
        self.models_evicted_total = self._counter(
            "models_evicted_total", "Models of silent series whose place was given to another series at the limit."
        )
        self.readings_unjudged_total = self._counter(
            "readings_unjudged_total", "Readings that a job did not judge, for no place of a model was free."
        )
        self.decode_seconds = self._histogram("decode_seconds", "Time to decode the bodies that were decoded together.")
        self.commit_seconds = self._histogram(
            "commit_seconds", "Time of one journal transaction, with what is prepared for it and its sync to disk."
        )
        self.apply_seconds = self._histogram("apply_seconds", "Time of the engine for one journal entry.")
        self.checkpoint_seconds = self._histogram("checkpoint_seconds", "Time to freeze and write one shard.")
        self.analysis_records_total = self._counter(
            "analysis_records_total", "Records that analyses took; those too late among them."
        )
        self.analysis_buckets_total = self._counter(
            "analysis_buckets_total", "Buckets of analyses whose final results were written."
        )
        self.analysis_findings_total = self._counter(
            "analysis_findings_total", "Records of anomalies in the final results of analyses."
        )
        self.analysis_seconds = self._histogram(
            "analysis_seconds", "Time of the analyses' thread for the entries that it applied together."
        )
        self.analysis_checkpoint_seconds = self._histogram(
            "analysis_checkpoint_seconds", "Time to write the state of one analysis."
        )
        self.analyses = self._gauge("analyses", "Analyses that there are.")
        self.analyses_failed = self._gauge("analyses_failed", "Analyses that have failed and stand still.")
        self.analysis_lag = self._gauge("analysis_lag", "Journal entries that wait for the analyses' thread.")
        self.analysis_model_bytes = self._gauge(
            "analysis_model_bytes",
            "What the models of all analyses that are in memory take, as of the last bucket of each.",
        )
        self.pending_bytes = self._gauge("pending_bytes", "Bytes between the door and the engine.")
        self.tail_rows = self._gauge(
            "tail_rows", "Readings, closed buckets and closed windows in memory that are not packed yet."
        )
        self.journal_sequence = self._gauge("journal_sequence", "Number of the newest journal entry.")
        self.applied_sequence = self._gauge(
            "applied_sequence", "Number of the newest entry that the engine has applied."
        )
        self.sources = self._gauge("sources", "Sources known.")
        self.series = self._gauge("series", "Series known.")
        self.adjustments = self._gauge("adjustments", "Adjustments by feedback that are in force.")
        self.models_begun_anew = self._gauge(
            "models_begun_anew", "Series whose model could not be restored at the last start, and so began anew."
        )
        self.store_bytes = self._gauge("store_bytes", "Size of the database with its write-ahead log.")
        self.feed_records_total = self._counter("feed_records_total", "Records that feeds have read for their jobs.")
        self.feed_troubles_total = self._counter(
            "feed_troubles_total", "Times that a feed could not read its source, and waited before the next try."
        )
        self.feeds_started = self._gauge("feeds_started", "Feeds that are at work.")
        self.measured_bytes = self._gauge("measured_bytes", "What measurements of MVG clients hold, compressed.")
        self.measured_analyses_waiting = self._gauge(
            "measured_analyses_waiting", "Analyses of such measurements that are queued.")
        self.measured_analyses_total = self._counter(
            "measured_analyses_total", "Analyses of such measurements that ended, by outcome: successful, failed.",
            "outcome")
        self.stream_clients = self._gauge("stream_clients", "Clients that follow /api/v1/stream now.")
        self.alerts_raised_total = self._counter("alerts_raised_total", "Alerts that were raised, told or not.")
        self.alerts_active = self._gauge("alerts_active", "Alerts that are active.")
        self.alert_deliveries_total = self._counter(
            "alert_deliveries_total",
            "Notifications by sink and outcome: delivered, failed (one attempt), dead (given up).",
            "sink", "outcome")
        self.alert_suppressed_total = self._counter(
            "alert_suppressed_total", "Notifications that nobody was told, by reason.", "reason")
        self.alert_dead_letters = self._gauge("alert_dead_letters", "Deliveries that were given up and are kept.")
        self.check_runs_total = self._counter(
            "check_runs_total", "Runs of checks by kind and status; status none: it did not apply.", "kind", "status")
        self.check_errors_total = self._counter(
            "check_errors_total", "Runs of checks that raised, were ended or crashed, by kind.", "kind")
        self.check_seconds = self._histogram("check_seconds", "Time of one run of a check, by kind.", "kind")
        self.check_changes_total = self._counter("check_changes_total", "Outcomes that were a change.")
        self.check_readings_cut_total = self._counter(
            "check_readings_cut_total", "Moments that runs were not handed, for there were more than a run may have.")
        self.check_workers_ended_total = self._counter(
            "check_workers_ended_total", "Processes that judge which were ended for a run that took long, or crashed.")
        self.check_subjects = self._gauge("check_subjects", "Subjects of checks: what is judged together.")
        self.checks_full = self._gauge(
            "checks_full", "Checks that match more than there may be subjects, so that some are left out.")
        self.tokens_refused_total = self._counter(
            "tokens_refused_total",
            "Calls refused for their token: none (missing), not one of ours (unknown), revoked, expired, without the "
            "scope (scope), after too many wrong ones from that address (limited).",
            "reason")
        self.http_requests_total = self._counter(
            "http_requests_total", "Requests answered, by route template; status 499: the client left first.",
            "route", "method", "status")
        self.http_request_seconds = self._histogram(
            "http_request_seconds", "Time from the request's head to its answer; not of streams, which last.", "route")
        self._answered: dict[tuple[str, str, int], Counter] = {}
        self._timed: dict[str, Histogram] = {}

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(f"offbeat_{name}", about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str) -> Gauge:
        return Gauge(f"offbeat_{name}", about, registry=self.registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        return Histogram(f"offbeat_{name}", about, labels, buckets=STEPS_S, registry=self.registry)

    def answered(self, route: str, method: str, status: int, seconds: float | None) -> None:
        """Count one answered request; *route* is a template, never a path; *seconds* None: not timed."""
        method = method if method in METHODS else "other"
        key = (route, method, status)
        counter = self._answered.get(key)  # labels() validates and locks; the hot path pays for it once
        if counter is None:
            counter = self._answered[key] = self.http_requests_total.labels(route, method, str(status))
        counter.inc()
        if seconds is None:
            return
        timer = self._timed.get(route)
        if timer is None:
            timer = self._timed[route] = self.http_request_seconds.labels(route)
        timer.observe(seconds)

    def render(self) -> bytes:
        """All instruments in the Prometheus text format."""
        return generate_latest(self.registry)
