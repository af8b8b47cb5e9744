"""The JSON schema of an experiment file as people write it, short forms included, for editors."""

from __future__ import annotations

from typing import Any

from dtrain.experiment.config.overrides import long_form
from dtrain.experiment.config.problems import explanation
from dtrain.experiment.config.schema import Schema, experiment_schema, families, family_text, kinds_of, resolved
from dtrain.experiment.dataset import NAMED_DATASETS
from dtrain.ground.printable import KeyPath

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that language servers for YAML know in full."""
_REWRITTEN = ("anyOf", "items", "title", "description")

Json = dict[str, Any]


def editor_schema() -> Json:
    """Returns the schema; contradictions between keys are beyond it, and found by `dtrain validate` alone."""
    properties = {key: _key(key, schema) for key, schema in experiment_schema()["properties"].items()}
    return {
        "$schema": DRAFT,
        "title": "dtrain experiment",
        "description": "Every key is optional.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }


def _key(key: str, schema: Schema) -> Json:
    """Returns what may stand at a key of the experiment: the long form, and every short form of it."""
    if key in families():
        return _family(key)
    inner = resolved(schema)
    if "properties" not in inner:
        return _field(schema)
    branches = [_section(inner)]
    long = long_form((key,), "name")
    if isinstance(long, dict):
        branches.insert(0, _field(inner["properties"][_holder(long, "name")]))
    if key == "dataset":
        branches.insert(0, {"enum": list(NAMED_DATASETS), "description": inner["description"]})
    if {"type": "null"} in schema.get("anyOf", ()):
        branches.append({"type": "null"})
    return {"description": inner["description"], "anyOf": branches} if len(branches) > 1 else branches[0]


def _family(key: str) -> Json:
    listed = isinstance(long_form((key,), "name"), list)
    path: KeyPath = (key, 0) if listed else (key,)
    branches: list[Json] = []
    sections = kinds_of(families()[key])
    if isinstance(long_form(path, "name"), dict):
        branches += [
            {"const": kind, "description": _text(one)}
            for kind, one in sections.items()
            if not set(one.get("required", ())) - {"kind"}
        ]
    branches += [_kind(path, kind, one) for kind, one in sections.items()]
    if listed:
        branches.append({"type": "array", "items": {"anyOf": list(branches)}})
    elif isinstance(long := long_form(path, [1]), dict):
        of_list = resolved(sections[long["kind"]]["properties"][_holder(long, [1])])
        branches.insert(0, _field(of_list))
    return {"description": family_text(key)[0], "anyOf": branches}


def _holder(long: Json, value: object) -> str:
    """Returns the key that a short form's value is under in its long form."""
    return next(key for key, one in long.items() if one == value)


def _kind(path: KeyPath, kind: str, section: Schema) -> Json:
    """Returns a mapping of this kind; where the file's other keys may tell the kind, it need not be named."""
    found = _section(section)
    found["properties"]["kind"] = {"const": kind, "description": _text(section)}
    if _implied(path, {}) == kind:
        return found
    telling = [name for name in section["properties"] if name != "kind" and _implied(path, {name: None}) == kind]
    if telling:
        return found | {"anyOf": [{"required": [name]} for name in ("kind", *telling)]}
    return found | {"required": ["kind", *(name for name in found.get("required", ()) if name != "kind")]}


def _implied(path: KeyPath, written: Json) -> object:
    long = long_form(path, written)
    return long.get("kind") if isinstance(long, dict) else None


def _section(section: Schema) -> Json:
    found: Json = {"type": "object", "description": _text(section)}
    found["properties"] = {name: _field(one) for name, one in section["properties"].items()}
    if required := [name for name in section.get("required", ()) if name != "kind"]:
        found["required"] = required
    return found | {"additionalProperties": False}


def _field(schema: Schema) -> Json:
    """Returns the schema of a field, inlined, with a description that says what is allowed."""
    return _inlined(schema) | {"description": explanation(schema)}


def _inlined(schema: Schema) -> Json:
    if "$ref" in schema:
        return _section(resolved(schema))
    found = {key: one for key, one in schema.items() if key not in _REWRITTEN}
    if schema.get("default") is None:
        # null stands for what follows from the other keys or the data: no value for an editor to fill in
        found.pop("default", None)
    if "anyOf" in schema:
        found["anyOf"] = [_inlined(one) for one in schema["anyOf"]]
    if "items" in schema:
        found["items"] = _inlined(schema["items"])
    return found


def _text(section: Schema) -> str:
    return " ".join(section.get("description", "").split())
