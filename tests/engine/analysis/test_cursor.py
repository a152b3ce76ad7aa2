"""How far a source has been read goes with the records: through the journal, checkpoints, and back to a snapshot."""
from __future__ import annotations

import numpy as np
import pytest

from offbeat.engine.analysis.analysis import Analysis
from offbeat.engine.analysis.entries import Upload, pack_upload, unpack_upload
from offbeat.engine.analysis.spec import AnalysisSpec, DetectorSpec
from offbeat.records import Strings
from offbeat.uploads import Records

SPEC = AnalysisSpec("j", (DetectorSpec("count", by="a"),), 60)


def upload(time_s: int, cursor: str = "") -> Upload:
    times = np.array([1000 * time_s], np.int64)
    return Upload(1, Records(times, ("a",), np.zeros((1, 1), np.int32), (Strings.of(["x"]),)), {}, cursor)


@pytest.mark.parametrize("cursor", ["", '{"files":{"1":["é",2]}}'])
def test_an_entry_of_the_journal_keeps_the_cursor(cursor: str) -> None:
    assert unpack_upload(pack_upload(upload(60, cursor))).cursor == cursor


def test_an_analysis_knows_the_newest_cursor_and_keeps_it_in_its_state() -> None:
    analysis, again = Analysis(SPEC), Analysis(SPEC)
    assert analysis.cursor == ""
    analysis.take(upload(60, "first"))
    analysis.take(upload(61))  # sent by somebody else
    assert analysis.cursor == "first"
    again.restore(analysis.save())
    assert again.cursor == "first"
    analysis.take(upload(62, "second"))
    assert analysis.cursor == "second"


@pytest.mark.parametrize(("keep_time", "cursor"), [(True, "second"), (False, "first")])
def test_a_cursor_goes_back_only_where_records_may_come_again(keep_time: bool, cursor: str) -> None:
    analysis = Analysis(SPEC)
    analysis.take(upload(60, "first"))
    state = analysis.save()
    analysis.take(upload(120, "second"))
    analysis = analysis.reverted(state, keep_time=keep_time)
    assert analysis.cursor == cursor
