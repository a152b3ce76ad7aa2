"""What clients of older versions expect otherwise: a dialect for each base path.

Source: MVG wire protocol, sections 3 and 11.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """The forms that a client of some versions reads.

    base     the path of its endpoint
    version  of the API that it is told; empty: as the settings say
    paged    lists are pages; else bare arrays, and rows of tables without paging
    labels_in_columns  the list of labels is one object of lists; else an array of objects
    content  the hello has the colours
    channels sources have channels; else one, and its samples are a plain list
    single   one measurement is sent at a time, and answers say jobid as well; BlackSheep lists bare ids
    """

    base: str
    version: str = ""
    paged: bool = True
    labels_in_columns: bool = True
    content: bool = True
    channels: bool = True
    single: bool = False


DIALECTS = (
    Dialect("/mvg/0.13", "v0.4.7", paged=False),
    Dialect("/mvg/0.12", "v0.3.3", paged=False, labels_in_columns=False),
    Dialect("/mvg/0.8", "v0.1.17", paged=False, labels_in_columns=False, channels=False),
    Dialect("/mvg/0.6", "v0.1.6", paged=False, labels_in_columns=False, content=False, channels=False, single=True),
    Dialect("/mvg"),
)
"""Each for the clients from the one before it up to its own version; the last, for 0.14 and newer."""
