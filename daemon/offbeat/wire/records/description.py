"""How the bytes of an upload are to be read, as data. The values are settled before: nothing is checked here."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UploadFormat = Literal["DELIMITED", "JSON", "SINGLE_LINE", "ELASTICSEARCH"]


@dataclass(frozen=True, slots=True)
class DataDescription:
    """The form of the data of a job.

    time_field       the field, raw or made by a transform, that holds the time of a record
    time_format      ``epoch``, ``epoch_ms``, ``any`` as events have them, or a Java date pattern (see times.py)
    field_delimiter  one character, of DELIMITED alone
    quote_character  one character, of DELIMITED alone

    Source: Prelert Engine API, section 4.4.
    """

    format: UploadFormat = "DELIMITED"
    time_field: str = "time"
    time_format: str = "epoch"
    field_delimiter: str = "\t"
    quote_character: str = '"'
