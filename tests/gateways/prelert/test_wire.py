"""The form of requests and answers, byte by byte where it matters. Source: Prelert Engine API, sections 1 and 16."""
from __future__ import annotations

import json
import re
import threading

import pytest

from tests.gateways.prelert.engine import BASE, FIRST_S, METRIC, Answer, Engine, csv, packed, raw_answer, steady

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
LARGE_BYTES = 50 * 1024 * 1024


@pytest.fixture(scope="module")
def five(daemon: Engine) -> str:
    """A job of five buckets, and one that is not complete."""
    id = daemon.create()
    daemon.upload(id, csv(steady(6)))
    return id


def sent(daemon: Engine, *pieces: bytes) -> Answer:
    """The answer to a request that is written as it stands."""
    with daemon.connect() as connection:
        for piece in pieces:
            connection.sendall(piece)
        return raw_answer(connection)


def head(method: str, path: str, *headers: str, base: str = BASE) -> bytes:
    """A request up to its body, with no header but Host, Accept-Encoding and those named."""
    lines = [f"{method} {base}{path} HTTP/1.1", "Host: h:8080", "Accept-Encoding: identity", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_post_with_neither_length_nor_chunks_has_no_body(daemon: Engine) -> None:
    id = daemon.create()
    for path in (f"/jobs/{id}/pause", f"/jobs/{id}/resume", f"/data/{id}/flush", f"/data/{id}/close"):
        answer = sent(daemon, head("POST", path))
        assert answer.status in (200, 202), path
        assert answer.document == {"acknowledgement": True}


@pytest.mark.parametrize("kind", [[], ["Content-Type: application/x-www-form-urlencoded"],
                                  ["Content-Type: application/octet-stream"], ["Content-Type: nonsense"]])
def test_data_are_taken_whatever_their_type_says(daemon: Engine, kind: list[str]) -> None:
    id, body = daemon.create(), csv(steady(3))
    answer = sent(daemon, head("POST", f"/data/{id}", f"Content-Length: {len(body)}", *kind) + body)
    assert answer.summary["processedRecordCount"] == 24


@pytest.mark.parametrize("kind", [[], ["Content-Type: application/json"], ["Content-Type: text/plain"]])
def test_a_document_is_json_whatever_its_type_and_encoding_say(daemon: Engine, kind: list[str]) -> None:
    body = json.dumps({"analysisConfig": {"detectors": [METRIC]}}).encode()
    headers = [f"Content-Length: {len(body)}", "Content-Encoding: UTF-8", *kind]
    assert sent(daemon, head("POST", "/jobs", *headers) + body).status == 201


def test_the_chunks_of_a_stream_may_come_one_by_one_and_are_analysed_before_the_next(daemon: Engine) -> None:
    id, rows = daemon.create(), steady(4)
    headers = ("Connection: Keep-Alive", "Transfer-Encoding: chunked",
               "Content-Type: application/x-www-form-urlencoded")
    with daemon.connect() as connection:
        connection.sendall(head("POST", f"/data/{id}", *headers))
        for line in csv(rows).splitlines(keepends=True):
            connection.sendall(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        while daemon.job(id)["counts"]["processedRecordCount"] < len(rows):  # the pause: nothing more comes meanwhile
            continue
        assert daemon.job(id)["status"] == "RUNNING"
        line = b"1400014800,AAL,1\n"
        connection.sendall(b"11\r\n" + line + b"\r\n0\r\n\r\n")
        assert raw_answer(connection).summary["processedRecordCount"] == len(rows) + 1


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_stream_gives_what_an_upload_gives_packed_or_not(daemon: Engine, gzipped: bool) -> None:
    one, other, body = daemon.create(), daemon.create(), csv(steady(5))
    whole = daemon.upload(one, body).summary
    data = packed(body) if gzipped else body
    pieces = (data[i : i + 26] for i in range(0, len(data), 26))  # 1a: a digit that is a letter
    assert daemon.stream(other, pieces, gzipped=gzipped).summary == whole
    assert daemon.upload(daemon.create(), packed(body), gzipped=True).summary == whole


def test_several_members_of_gzip_are_one_body(daemon: Engine) -> None:
    id, body = daemon.create(), csv(steady(2))
    assert daemon.upload(id, packed(body[:40]) + packed(body[40:]), gzipped=True).summary["inputBytes"] == len(body)


def test_a_sender_that_asks_whether_to_go_on_is_told_to_once(daemon: Engine) -> None:
    id, body = daemon.create(), csv(steady(2))
    for path, gzip, status in ((f"/data/{id}", False, 202), ("/data/nobody", False, 404), (f"/data/{id}", True, 400)):
        with daemon.connect() as connection:
            headers = ["Expect: 100-continue", f"Content-Length: {len(body)}"]
            connection.sendall(head("POST", path, *headers, *(["Content-Encoding: gzip"] if gzip else [])))
            told = connection.recv(len(b"HTTP/1.1 100 Continue\r\n\r\n"))
            assert told == b"HTTP/1.1 100 Continue\r\n\r\n"
            connection.sendall(body)
            assert connection.recv(12) == f"HTTP/1.1 {status}".encode()


def test_an_answer_tells_its_length_and_the_connection_stays_for_the_next_call(daemon: Engine) -> None:
    with daemon.connect() as connection:
        for path, status in (("/jobs", 200), ("/results/nobody/buckets", 404), ("/nothing", 404), ("/jobs", 200)):
            connection.sendall(head("GET", path))
            answer = raw_answer(connection)
            assert answer.status == status
            assert int(answer.headers["Content-Length"]) == len(answer.body) > 0
            assert answer.headers["Content-Type"].startswith("application/json")
            assert "Content-Encoding" not in answer.headers
            assert answer.headers.get("Connection", "keep-alive").lower() == "keep-alive"


@pytest.mark.parametrize("refused", ["/data/nobody", "/data/{id}", "/preview/nobody", "/jobs", "/nothing",
                                     "/jobs/{id}", "/data/{id},nobody", "/data/{id}?resetStart=x"])
def test_a_large_body_is_read_to_its_end_before_an_error_is_told(daemon: Engine, refused: str) -> None:
    path = refused.format(id=daemon.create())
    with daemon.connect() as connection:
        connection.sendall(head("POST", path, f"Content-Length: {LARGE_BYTES}", "Content-Encoding: gzip"))
        piece = b"x" * (1024 * 1024)
        for _ in range(LARGE_BYTES // len(piece)):
            connection.sendall(piece)
        answer = raw_answer(connection)
        assert answer.status in (400, 404, 405)
        connection.sendall(head("GET", "/jobs"))  # the connection is still in step
        assert raw_answer(connection).status == 200


def test_a_large_body_that_is_refused_for_its_header_is_read_to_its_end(daemon: Engine) -> None:
    id = daemon.create()
    with daemon.connect() as connection:
        connection.sendall(head("POST", f"/data/{id},{id}", "Transfer-Encoding: chunked"))
        piece = b"a,b\n" + b"1,2\n" * 262_143
        for _ in range(LARGE_BYTES // len(piece)):
            connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        answer = raw_answer(connection)
        assert sorted(one["error"]["errorCode"] for one in answer.document["responses"]) == [30101, 40103]
        connection.sendall(head("GET", "/jobs"))
        assert raw_answer(connection).status == 200
    with daemon.connect() as connection:
        connection.sendall(head("POST", f"/data/{id}", f"Content-Length: {len(piece)}"))
        connection.sendall(piece)
        assert raw_answer(connection).upload_refusal == (400, 30101)
        connection.sendall(head("GET", "/jobs"))
        assert raw_answer(connection).status == 200


def test_a_sender_that_breaks_off_leaves_its_job_usable_and_what_it_sent_analysed(daemon: Engine) -> None:
    id, rows = daemon.create(), csv(steady(3))
    connection = daemon.connect()
    connection.sendall(head("POST", f"/data/{id}", "Transfer-Encoding: chunked"))
    connection.sendall(f"{len(rows):x}\r\n".encode() + rows + b"\r\n")
    while daemon.job(id)["counts"]["processedRecordCount"] < 24:
        continue
    connection.close()
    while daemon.service.analyses.get(id).sending:
        continue
    later = csv(steady(1, first_s=FIRST_S + 36_000))
    assert daemon.upload(id, later).summary["processedRecordCount"] == 8
    assert daemon.job(id)["counts"]["inputRecordCount"] == 32


def test_bytes_that_are_declared_gzip_and_are_not_are_refused_with_the_message_that_people_search_for(
    daemon: Engine,
) -> None:
    answer = daemon.upload(daemon.create(), b"x" * LARGE_BYTES, gzipped=True)
    assert answer.upload_refusal == (400, 30102)
    message = answer.document["responses"][0]["error"]["message"]
    assert message == "Content-Encoding = gzip but the data is not in gzip format"


def test_many_short_connections_at_once_are_served(daemon: Engine) -> None:
    statuses: list[int] = []
    threads = [threading.Thread(target=lambda: statuses.append(daemon.get("/jobs").status)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 40


@pytest.mark.parametrize("path", ["/engine/v2//jobs/{id}", "/engine//v2/jobs//{id}", "/engine/v2/jobs/{id}/",
                                  "/engine/v1/jobs/{id}", "/engine/v0.3/jobs/{id}//"])
def test_slashes_too_many_change_nothing_nor_does_the_version(daemon: Engine, path: str) -> None:
    id = daemon.create()
    answer = daemon.call("GET", path.format(id=id), base="")
    version = path.replace("//", "/").split("/")[2]
    assert answer.status == 200
    assert answer.document["document"]["location"] == f"http://{daemon.host}:{daemon.port}/engine/{version}/jobs/{id}"


@pytest.mark.parametrize("path", ["/engine/v2/Jobs", "/engine/v3/jobs", "/engine", "/engine/v2", "/engine/v2/jobs/a/b"])
def test_any_other_path_is_not_found_with_an_error_document(daemon: Engine, path: str) -> None:
    assert daemon.call("GET", path, base="").refusal == (404, 0)


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/jobs"), ("GET", "/data/x"), ("PATCH", "/jobs/x"),
                                              ("POST", "/results/x/buckets"), ("PUT", "/modelsnapshots/x/revert")])
def test_any_other_method_of_a_known_path_is_refused(daemon: Engine, method: str, path: str) -> None:
    assert daemon.call(method, path).refusal == (405, 0)


def test_an_id_is_decoded_after_the_path_is_cut(daemon: Engine) -> None:
    daemon.create("a.b-c_d")
    for written in ("a.b-c_d", "a%2Eb%2dc_d", "%61.b-c_d"):
        assert daemon.get(f"/jobs/{written}").document["document"]["id"] == "a.b-c_d"
    for written in ("a+b", "a%20b"):  # both a space
        assert daemon.get(f"/results/{written}/buckets").document["message"] == "No known job with id 'a b'"
    assert daemon.get("/results/a%2Fb/buckets").document["message"] == "No known job with id 'a/b'"


def test_links_have_the_host_that_was_asked_for_and_the_query_as_it_was_understood(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, csv(steady(12)))
    path = f"/results/{id}/buckets?skip=3&take=4&start=1400000400&foo=1&false"
    answer = sent(daemon, head("GET", path, base="/engine/v1"))
    page = answer.document
    assert list(page) == ["hitCount", "skip", "take", "nextPage", "previousPage", "documents"]
    of = f"http://h:8080/engine/v1/results/{id}/buckets?skip={{}}&take=4&expand=false&includeInterim=false" \
         "&anomalyScore=0.0&maxNormalizedProbability=0.0&start=1400000400"
    assert (page["nextPage"], page["previousPage"]) == (of.format(7), of.format(0))
    last = daemon.get(f"/results/{id}/buckets?skip=8&take=4").document
    assert (last["hitCount"], last["nextPage"], len(last["documents"])) == (11, None, 3)
    first = daemon.get(f"/results/{id}/buckets?take=0").document
    assert (first["nextPage"], first["previousPage"], first["documents"]) == (None, None, [])


def test_dates_are_utc_with_milliseconds_and_a_zone_without_a_colon(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, csv(steady(3)))
    daemon.close(id)
    job = daemon.job(id)
    for date in (job["createTime"], job["finishedTime"], job["lastDataTime"], job["counts"]["latestRecordTimeStamp"],
                 job["modelSizeStats"]["timestamp"], job["modelSizeStats"]["logTime"],
                 daemon.buckets(id)[0]["timestamp"]):
        assert DATE.fullmatch(date), date
    assert b"null" not in json.dumps(job).encode()
    assert job["createTime"] == daemon.now


@pytest.mark.parametrize(("written", "hits"), [
    ("start=1400004000&end=1400011200", 2), ("start=1400004000000&end=1400011200000", 2), ("start=&end=", 5),
    ("start=None", 5), ("start=2014-05-13T18%3A00%3A00Z", 4), ("start=2014-05-13T18:00:00.000+0000", 4),
    ("start=2014-05-13T19%3A00%3A00%2B01%3A00", 4), ("start=2014-05-13T18:00:00-0000", 4),
    ("start=2014-05-13T18:00:00", 4), ("start=2014-05-14", 0), ("start=1400004000&end=1400004000", 0),
])
def test_dates_in_queries_have_many_forms(daemon: Engine, five: str, written: str, hits: int) -> None:
    assert daemon.get(f"/results/{five}/buckets?{written}").document["hitCount"] == hits


@pytest.mark.parametrize("written", ["1400004000", "1400004000000", "2014-05-13T18:00:00.000+0000",
                                     "2014-05-13T18%3A00%3A00Z"])
def test_dates_in_paths_have_the_same_forms(daemon: Engine, five: str, written: str) -> None:
    for place in ("", "buckets/"):
        assert daemon.get(f"/results/{five}/{place}{written}").document["document"]["id"] == "1400004000"


def test_parameters_that_nobody_knows_are_ignored_and_the_flag_in_lower_case_is_known(daemon: Engine) -> None:
    id = daemon.create()
    daemon.upload(id, csv(steady(3)))
    assert daemon.post(f"/data/{id}/flush?calcInterim=TRUE&nobody=knows&false").status == 200
    for query, count in (("", 2), ("?includeinterim=true", 3), ("?includeInterim=True", 3), ("?includeInterim=yes", 2)):
        assert daemon.get(f"/results/{id}/buckets{query}").document["hitCount"] == count
