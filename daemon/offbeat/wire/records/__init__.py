"""Bytes of an upload to the records of an analysis: formats, transforms, times. Pure: no socket, no clock."""
from offbeat.uploads import Records
from offbeat.wire.records.description import DataDescription, UploadFormat
from offbeat.wire.records.preview import preview
from offbeat.wire.records.reader import Reader
from offbeat.wire.records.table import Read
from offbeat.wire.records.transforms import Condition, Transform

__all__ = ["Condition", "DataDescription", "Read", "Reader", "Records", "Transform", "UploadFormat", "preview"]
