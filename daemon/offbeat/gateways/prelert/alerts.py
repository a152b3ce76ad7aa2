"""The long poll for alerts.

Source: Prelert Engine API, section 10.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from offbeat.analyses.job import Job
from offbeat.engine.analysis.results import BucketResult
from offbeat.gateways.prelert.call import Call, answered
from offbeat.gateways.prelert.dates import date_text
from offbeat.gateways.prelert.documents import Document
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.results import bucket_document
from offbeat.store import analysis_queries as queries

TIMEOUT_S = 90.0
KINDS = ("bucket", "influencer", "bucketinfluencer")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What raises an alert; thresholds of 0–100, None: not one."""

    score: float | None
    probability: float | None
    kinds: tuple[str, ...]
    interim: bool

    def kind_of(self, result: BucketResult) -> str | None:
        """Which alert this result is; None if it is none."""
        if result.interim and not self.interim:
            return None
        score = self.score
        if "bucket" in self.kinds:
            if score is not None and result.anomaly_score >= score:
                return "bucket"
            if self.probability is not None and result.normalized_max >= self.probability:
                return "bucket"
        if score is None:
            return None
        if "influencer" in self.kinds and any(one.score >= score for one in result.influencers):
            return "influencer"
        if "bucketinfluencer" in self.kinds and any(part.score >= score for part in result.parts):
            return "bucketinfluencer"
        return None


async def get_alert(call: Call) -> web.Response:
    """Wait until a result of the job crosses a threshold, or the time is up."""
    job, wanted, timeout_s = call.job, _wanted(call), _timeout_s(call)
    if job.status != "RUNNING":
        raise PrelertError(60103, f"job {job.spec.id} is {job.status}: only one that is RUNNING can alert")
    with call.analyses.hub.following(job.number) as results:
        try:
            async with asyncio.timeout(timeout_s):
                while (result := await results.get()) is not None:
                    if (kind := wanted.kind_of(result)) is not None:
                        return answered(await _alert(call, job, wanted, kind, result))
        except TimeoutError:
            pass
    return answered(
        {
            "jobId": job.spec.id,
            "timeout": True,
            "alertType": "bucket",
            "isInterim": False,
            "anomalyScore": 0.0,
            "maxNormalizedProbability": 0.0,
        }
    )


def _wanted(call: Call) -> Wanted:
    score, probability = _threshold(call, "score"), _threshold(call, "probability")
    if score is None and probability is None:
        raise PrelertError(60104, "an alert needs a threshold: score or probability, 0 to 100")
    kinds = tuple(kind.strip() for kind in (call.text("alertOn") or "bucket").split(","))
    for kind in kinds:
        if kind not in KINDS:
            raise PrelertError(60112, f"{kind!r} is no type of alert: expected {', '.join(KINDS)}")
    if score is None and any(kind != "bucket" for kind in kinds):
        raise PrelertError(60113, "only an alert on buckets can go by probability alone: give a score")
    return Wanted(score, probability, kinds, call.flag("includeInterim"))


def _threshold(call: Call, name: str) -> float | None:
    text = call.text(name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 100.0:
        raise PrelertError(60104, f"{name} is {text!r}: expected a number of 0 to 100")
    return value


def _timeout_s(call: Call) -> float:
    text = call.text("timeout")
    try:
        seconds = TIMEOUT_S if text is None else float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 < seconds < 1e9:
        raise PrelertError(60105, f"timeout is {text!r}: expected seconds, more than 0")
    return seconds


async def _alert(call: Call, job: Job, wanted: Wanted, kind: str, result: BucketResult) -> Document:
    document: Document = {
        "jobId": job.spec.id,
        "timestamp": date_text(call.parts.clock.now_ms()),
        "timeout": False,
        "alertType": kind,
        "isInterim": result.interim,
        "anomalyScore": result.anomaly_score,
        "maxNormalizedProbability": result.normalized_max,
        "uri": f"{call.base}/results/{job.spec.id}/buckets/{result.start_ms // 1000}?expand=true",
    }
    row = await queries.bucket(call.analyses.database, job.number, result.start_ms, interim=True)
    if row is None:
        return document
    bucket = await bucket_document(call, job, row, expand=True)
    by_score = kind != "bucket" or (wanted.score is not None and result.anomaly_score >= wanted.score)
    if by_score or wanted.probability is None:
        return document | {"bucket": bucket}
    least = wanted.probability
    return document | {"records": [one for one in bucket["records"] if one["initialNormalizedProbability"] >= least]}
