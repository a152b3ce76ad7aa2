"""A preview: what would be analysed, as CSV."""
from __future__ import annotations

import pytest

from offbeat.wire.records import DataDescription, Transform, preview
from offbeat.wire.records.errors import FieldsMissing

DESCRIPTION = DataDescription(time_field="t", time_format="yyyy-MM-dd HH:mm:ss", field_delimiter=",")


def test_the_time_comes_first_in_seconds_and_then_the_fields_in_use() -> None:
    body = b't,c,a,b\n2014-10-01 00:00:00,,"x, ""y""",q\nnever,1,2,3\n1969-12-31 23:59:59,1,,2\n'
    transforms = [Transform("uppercase", ("b",), (), ("B",))]
    for blocks in ([body], [body[i : i + 1] for i in range(len(body))]):
        text = "".join(preview(DESCRIPTION, transforms, ["a", "B", "a"], blocks))
        assert text == 't,a,B\n1412121600,"x, ""y""",Q\n-1,,2\n'


def test_without_fields_and_without_rows_there_is_the_header() -> None:
    assert "".join(preview(DESCRIPTION, (), (), [b"t\n2014-10-01 00:00:00\n"])) == "t\n1412121600\n"
    assert "".join(preview(DESCRIPTION, (), ("a", "t"), [])) == "t,a\n"


def test_what_an_upload_is_refused_for_a_preview_is() -> None:
    with pytest.raises(FieldsMissing):
        list(preview(DESCRIPTION, (), ("a",), [b"t,b\n"]))
