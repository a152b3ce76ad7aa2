"""Analyses as clients ask for them: checked, handed to the runner, told of, their results cut to pages.

Source: MVG wire protocol, sections 8, 9 and 11.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from offbeat.gateways.mvg.call import Call, answered, as_json, calculated
from offbeat.gateways.mvg.errors import MvgError, NoAnalysis, NoSource, Offences, Place
from offbeat.gateways.mvg.values import ID_CHARACTERS_MAX, Values
from offbeat.http.documents import dump
from offbeat.store import mvg as rows
from offbeat.store import mvg_analyses as store
from offbeat.store.mvg import Source, Window
from offbeat.store.mvg_analyses import Analysis, Asked
from offbeat.vibration.callbacks import allowed
from offbeat.vibration.documents import RESULT_TYPES, compressed, result_types
from offbeat.vibration.task import FEATURES, POPULATION, WAVEFORMS_ONLY, WITH_MODEL

MEMBERS_MAX = 10_000
"""Most sources of one population."""
MODES_MAX = 13
"""Clients have colours for so many."""
PARAMS: Mapping[str, tuple[str, ...]] = {
    "KPIDemo": ("utilization_threshold",),
    "RMS": ("utilization_threshold",),
    "ModeId": ("number_of_clusters", "optimized", "n_trials"),
    "BlackSheep": ("atypical_threshold", "n_trials"),
    "ApplyModel": ("model_ref",),
    "LabelPropagation": ("model_ref",),
}
"""The parameters of each feature that mean something, besides the selection of channels or columns."""
AT = ("body", "params")


async def get_features(call: Call) -> web.Response:
    """What can be asked for, and its version."""
    return answered(FEATURES)


async def post_request(call: Call) -> web.Response:
    """Ask for an analysis of one source."""
    return await _requested(call, population=False)


async def post_population_request(call: Call) -> web.Response:
    """Ask for an analysis of several sources."""
    return await _requested(call, population=True)


async def get_request(call: Call) -> web.Response:
    """How far an analysis is."""
    analysis = await _analysis(call)
    under_way = call.measured.runner.progress(analysis)
    measured = under_way.measured
    if measured is None:
        measured = _overview(await store.inputs(call.parts.database, analysis.number))
    return answered({
        "request_id": analysis.id,
        "request_status": analysis.status,
        "feature": analysis.feature,
        "source_ids": analysis.asked.source_ids,
        "status_history": [{"status": status, "timestamp": at_ms} for status, at_ms in analysis.history],
        "measurements": measured,
        "progress": under_way.progress,
        "error_info": analysis.error,
    })


async def get_results(call: Call) -> web.Response:
    """What came of an analysis; nothing as long as it is not done."""
    offences = Offences()
    offset, limit = call.integer("offset", offences, 0), call.integer("limit", offences, 0)
    offences.settle()
    wanted = call.request.query.get("result_type") or "full"
    if wanted not in RESULT_TYPES:
        raise MvgError(422, f"Feature result type '{wanted}' does not exist.")
    analysis = await _analysis(call)
    if wanted not in (types := result_types(analysis.feature)):
        raise MvgError(422, f"Feature {analysis.feature} supports only result types in {list(types)}")
    inputs, results = await store.results(call.parts.database, analysis.number)

    def document() -> bytes:
        found: Mapping[str, Any] = results
        if found:
            found = compressed(found) if wanted == "compressed" else found
            if analysis.feature in ("ModeId", "ApplyModel") and (offset is not None or limit is not None):
                found = _cut(found, offset or 0, limit)
            found = _in_dialect(call, analysis, found)
        return dump({
            "status": analysis.status,
            "request_id": analysis.id,
            "feature": analysis.feature,
            "results": found,
            "inputs": {**(inputs or _inputs(analysis)), "request_id": analysis.id},
            "error_info": analysis.error,
            "debug_info": "",
        })

    return as_json(await calculated(document, 1 << 20 if results else 0))


async def delete_request(call: Call) -> web.Response:
    """Delete an analysis that is done."""
    async with call.measured.lock((call.tenant,)):
        analysis = await _analysis(call)
        if analysis.status in ("queued", "ongoing"):
            raise MvgError(409, f"Request with ID {analysis.id} is {analysis.status}: delete it once it is done")
        await store.delete(call.parts.database, analysis.number)
    return answered({"request_id": analysis.id})


async def get_ids(call: Call) -> web.Response:
    """The analyses of a source by one feature, oldest first."""
    source = await call.source()
    return answered(await store.ids(call.parts.database, source.number, call.path["feature"]))


async def _analysis(call: Call) -> Analysis:
    found = await store.get(call.parts.database, call.tenant, call.path["id"])
    if found is None:
        raise NoAnalysis(call.path["id"])
    return found


async def _requested(call: Call, *, population: bool) -> web.Response:
    callback = call.request.query.get("callback_url", "")
    offences = Offences()
    if callback and (reason := allowed(callback, call.config)) is not None:
        offences.wrong(("query", "callback_url"), reason)
    async with call.body() as body:
        values = Values.of(body, ("body",), offences)
        ids = _ids(values, population)
        feature, params = values.text("feature"), values.object("params")
        window = Window(values.integer("start_timestamp", 0), values.integer("end_timestamp", 0))
        force = values.boolean("force")
        _check_feature(feature, population, offences)
        if feature in PARAMS:
            _check_params(feature, Values(params, AT, offences))
        offences.settle()
    async with call.measured.lock((call.tenant,)):  # no source goes away meanwhile
        sources = [await _member(call, id) for id in ids]
        _check_sources(feature, sources, params, offences)
        offences.settle()
        if feature in WITH_MODEL:
            await _check_model(call, feature, sources[0], params["model_ref"], offences)
        offences.settle()
        asked = Asked(ids, population, params, window)
        id = _id_of(feature, asked)
        status = await call.measured.runner.request(
            call.tenant, id, feature, asked, sources, callback, force=force)
    older = {"jobid": id} if call.dialect.single else {}
    return answered({"request_id": id, "request_status": status, **older})


def _id_of(feature: str, asked: Asked) -> str:
    """The same for the same request: clients count on it."""
    what = [feature, asked.source_ids, asked.population, asked.params, asked.window.start, asked.window.end]
    return hashlib.blake2b(orjson.dumps(what, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _ids(values: Values, population: bool) -> tuple[str, ...]:
    if not population:
        return (values.text("source_id"),)
    if not values.needed("source_ids"):
        return ()
    ids, at = values.texts("source_ids"), (*values.at, "source_ids")
    if not ids and not values.offences:
        values.offences.add(at, "value_error.list.min_items", "ensure this value has at least 1 items", limit_value=1)
    if len(ids) > MEMBERS_MAX:
        values.offences.add(
            at, "value_error.list.max_items", f"ensure this value has at most {MEMBERS_MAX} items",
            limit_value=MEMBERS_MAX)
    return ids


def _check_feature(feature: str, population: bool, offences: Offences) -> None:
    if not feature:
        return
    at = ("body", "feature")
    if feature not in FEATURES:
        offences.wrong(at, f"{feature[:ID_CHARACTERS_MAX]} is no feature: expected {', '.join(FEATURES)}")
    elif (feature in POPULATION) is not population:
        path = "analyses/requests/population/" if feature in POPULATION else "analyses/requests/"
        offences.wrong(at, f"{feature} is asked for at {path}")


def _check_params(feature: str, params: Values) -> None:
    """Offences for the parameters of *feature* that are not what they must be; others mean nothing."""
    known, offences = PARAMS[feature], params.offences
    for name in ("utilization_threshold", "atypical_threshold"):
        if name in known:
            value, at = params.number(name), (*params.at, name)
            if value is not None and value < 0:
                offences.below(at, 0)
            elif value is not None and name == "atypical_threshold" and value > 1:
                offences.above(at, 1.0)
    if "number_of_clusters" in known:
        params.integer("number_of_clusters", 1, MODES_MAX)
    if "n_trials" in known:
        params.integer("n_trials", 1, 1000)
    if "optimized" in known:
        params.boolean("optimized")
    if "model_ref" in known:
        params.text("model_ref")
    for name in ("selected_channels", "selected_columns"):
        params.texts(name)


async def _member(call: Call, id: str) -> Source:
    found = await rows.source(call.parts.database, call.tenant, id)
    if found is None:
        raise NoSource(id)
    return found


def _check_sources(feature: str, sources: list[Source], params: Mapping[str, Any], offences: Offences) -> None:
    first = sources[0]
    if feature in WAVEFORMS_ONLY and first.data_class != "waveform":
        offences.wrong(("body", "feature"), f"{feature} takes waveforms; source {first.id} is of the class "
                       f"{first.data_class}")
    for i, source in enumerate(sources):
        if (source.data_class, source.names) != (first.data_class, first.names):
            offences.wrong(("body", "source_ids", i), f"source {source.id} has not the class and the channels or "
                           f"columns of {first.id}: expected alike ones")
    for name, of_tables in (("selected_channels", False), ("selected_columns", True)):
        known = first.names if (first.data_class == "tabular") is of_tables else ()
        for i, one in enumerate(params.get(name) or ()):
            if one not in known:
                offences.wrong((*AT, name, i), f"source {first.id} has no {one}: expected {', '.join(known) or 'none'}")


async def _check_model(call: Call, feature: str, source: Source, ref: str, offences: Offences) -> None:
    at: Place = (*AT, "model_ref")
    model = await store.get(call.parts.database, call.tenant, ref)
    if model is None or model.feature != "ModeId" or model.status != "successful":
        offences.wrong(at, f"{ref[:ID_CHARACTERS_MAX]} is no successful analysis by ModeId")
        return
    of = await rows.source(call.parts.database, call.tenant, model.asked.source_ids[0])
    if feature == "LabelPropagation" and of is not None and of.id != source.id:
        offences.wrong(at, f"that model is of source {of.id}, whose labels are others than those of {source.id}")
    if of is not None and (of.data_class, of.names) != (source.data_class, source.names):
        offences.wrong(at, f"that model is of source {of.id}, which has not the class and the channels or columns of "
                       f"{source.id}")


def _overview(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What was analysed, in short."""
    given = inputs.get("timestamps") or []
    lists = given if given and isinstance(given[0], list) else [given]
    times = [one for one in lists if one]
    return {
        "count": sum(len(one) for one in lists),
        "first_timestamp": min((one[0] for one in times), default=None),
        "last_timestamp": max((one[-1] for one in times), default=None),
    }


def _inputs(analysis: Analysis) -> dict[str, Any]:
    """What is known of the inputs of an analysis that is not done."""
    asked = analysis.asked
    return {
        "UUID": list(asked.source_ids) if asked.population else asked.source_ids[0],
        "timestamps": [],
        "selected_channels": asked.params.get("selected_channels") or [],
        "selected_columns": asked.params.get("selected_columns") or [],
        "feature": analysis.feature,
        "experiment": analysis.feature,
        "params": asked.params,
    }


def _cut(results: Mapping[str, Any], offset: int, limit: int | None) -> dict[str, Any]:
    """The slice of the lists at the top; what is below them stays whole."""
    end = None if limit is None else offset + limit
    return {name: value[offset:end] if isinstance(value, list) else value for name, value in results.items()}


def _in_dialect(call: Call, analysis: Analysis, results: Mapping[str, Any]) -> Mapping[str, Any]:
    if call.dialect.single and analysis.feature == "BlackSheep":
        return {"atypical_assets": [one["source_id"] for one in results["atypical_assets"]]}
    if not call.dialect.channels and analysis.feature == "RMS":
        of_channels = [value for name, value in results.items() if name != "timestamps"]
        return {**of_channels[0], "timestamps": results["timestamps"]}
    return results

