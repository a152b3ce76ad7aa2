"""Detectors and transforms checked before there is a job. Source: Prelert Engine API, section 13."""
from __future__ import annotations

from offbeat.gateways.prelert.detectors import DetectorConfig, detector_of
from offbeat.gateways.prelert.errors import PrelertError
from offbeat.gateways.prelert.parts import check_transform, check_transforms, transform_of
from offbeat.gateways.prelert.values import Codes, parsed
from offbeat.wire.records.transforms import Transform

OF_DETECTOR = Codes(type=10116, unknown=10117)
OF_TRANSFORM = Codes(type=10215, unknown=10216)


def validate_detector(body: bytes) -> DetectorConfig:
    """The detector that *body* describes; what needs the rest of a job is not checked. Raises PrelertError."""
    return detector_of(parsed(body, OF_DETECTOR.type), codes=OF_DETECTOR)


def validate_transform(body: bytes) -> Transform:
    """The transform that *body* describes. Raises PrelertError."""
    transform = transform_of(parsed(body, OF_TRANSFORM.type), OF_TRANSFORM)
    check_transform(transform)
    return transform


def validate_transforms(body: bytes) -> list[Transform]:
    """The transforms that *body*, an array, describes; an output that nothing uses is allowed. Raises PrelertError."""
    documents = parsed(body, OF_TRANSFORM.type)
    if not isinstance(documents, list):
        raise PrelertError(OF_TRANSFORM.type, "the body is no array of transforms")
    transforms = [transform_of(document, OF_TRANSFORM) for document in documents]
    check_transforms(transforms, None)
    return transforms
