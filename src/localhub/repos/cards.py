"""What the Hub demands of a dataset card: the README.md of a repo, with metadata in a YAML header.

The rules are those of the public specification (`datasetcard.md` in the repository huggingface/hub-docs), the page
"Manual configuration" of huggingface.co/docs/hub, and the texts of refusals quoted in issue threads: huggingface_hub
4218 (licences), 3862 (languages), ostris/ai-toolkit 260 (types). The header is found and read as the readers do, by
`RepoCard` of huggingface_hub and `MetadataConfigs` of datasets, since a card that they cannot load is of no use: `no`
without quotes is a boolean. A key that stands there twice is refused, because parsers disagree on which one counts.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import yaml

from localhub.errors import NOT_A_LANGUAGE, RefusedError

CARD = "README.md"
LICENSES = "apache-2.0 mit cc0-1.0 cc-by-4.0 cc-by-sa-4.0 cc-by-nc-4.0 odc-by odbl pddl gpl-3.0 unknown other".split()
"""Those that datasets have. The Hub knows some 80; what it refuses (`cc0`, `CC0-1.0`) is refused here, too."""
SIZE_CATEGORIES = """
    unknown n<1K 1K<n<10K 10K<n<100K 100K<n<1M 1M<n<10M 10M<n<100M 100M<n<1B 1B<n<10B 10B<n<100B 100B<n<1T n>1T
""".split()
LANGUAGE = re.compile(r"[a-z]{2,3}|code|multilingual")
"""Whether a code of two or three letters is one of ISO 639 is not looked up."""
HEADER = re.compile(r"\A\s*---\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)

Check = Callable[[str, Any], Iterable[str]]
"""Tells what is wrong with the value of a field of this name."""


class Verdict(NamedTuple):
    """What the Hub has to say about a card; with errors it refuses it."""

    errors: list[str]
    warnings: list[str]

    def answer(self) -> dict[str, object]:
        """What clients read (`_validate_yaml` in huggingface_hub's `hf_api.py`). Raises RefusedError (400).

        A card that is committed unasked is refused in the same words (skops issue 393).
        """
        body: dict[str, object] = {
            kind: [{"message": one} for one in messages] for kind, messages in self._asdict().items()
        }
        if self.errors:
            raise RefusedError(400, "\n".join(self.errors), body=body)
        return body


def check_card(content: str) -> Verdict:
    header = HEADER.match(content)
    if header is None or not header[1].strip():
        return Verdict([], ["empty or missing yaml metadata in repo card"])
    try:
        metadata = yaml.load(header[1], _Loader) or {}  # noqa: S506 - derived from a safe one
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-31
        return Verdict([f"Invalid YAML: {error}"], [])
    if not isinstance(metadata, dict):
        return Verdict(["Invalid YAML: the metadata must be a mapping"], [])
    return Verdict(list(_check_fields(_FIELDS, "", metadata)), [])


class _Loader(yaml.CSafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "duplicated mapping key", node.start_mark)
        return mapping


def _check_fields(fields: dict[str, Check], prefix: str, values: dict[str, Any]) -> Iterator[str]:
    for name, check in fields.items():
        if values.get(name) is not None:
            yield from check(f"{prefix}{name}", values[name])


def _typed(kind: type, words: str) -> Check:
    return lambda name, value: [] if isinstance(value, kind) else [f'"{name}" must be {words}']


def _one_of(allowed: list[str]) -> Check:
    return lambda name, value: [] if value in allowed else [f'"{name}" must be one of [{", ".join(allowed)}]']


def _language(name: str, value: object) -> Iterable[str]:
    if not isinstance(value, str):
        return _string(name, value)
    return [] if LANGUAGE.fullmatch(value) else [NOT_A_LANGUAGE.format(name, value)]


def _list_of(check: Check) -> Check:
    def check_list(name: str, value: object) -> Iterator[str]:
        if not isinstance(value, list):
            yield f'"{name}" must be an array'
            return
        for index, item in enumerate(value):
            yield from check(f"{name}[{index}]", item)

    return check_list


def _one_or_list_of(check: Check) -> Check:
    return lambda name, value: (_list_of(check) if isinstance(value, list) else check)(name, value)


def _mapping(fields: dict[str, Check], *required: str) -> Check:
    def check(name: str, value: object) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f'"{name}" must be of type object'
            return
        yield from (f'"{name}.{field}" is required' for field in required if value.get(field) is None)
        yield from _check_fields(fields, f"{name}.", value)

    return check


def _data_files(name: str, value: object) -> Iterable[str]:
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return _list_of(_mapping({"split": _string, "path": _STRINGS}, "split", "path"))(name, value)
    return _STRINGS(name, value)


def _configs(name: str, value: object) -> Iterator[str]:
    fields: dict[str, Check] = {"config_name": _string, "data_files": _data_files, "default": _boolean}
    yield from _list_of(_mapping(fields, "config_name"))(name, value)
    configs = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    names = [str(config.get("config_name")) for config in configs]
    firsts = {one: index for index, one in reversed([*enumerate(names)])}
    repeated = [index for index, one in enumerate(names) if firsts[one] != index]
    yield from (f'"{name}[{index}]" contains a duplicate value' for index in repeated)
    defaults = [one for one, config in zip(names, configs, strict=True) if config.get("default") or one == "default"]
    if len(defaults) > 1:
        yield f'"{name}" has several defaults: {", ".join(defaults)}'


_string = _typed(str, "a string")
_boolean = _typed(bool, "a boolean")
_STRINGS = _one_or_list_of(_string)
_FIELDS: dict[str, Check] = {
    "license": _one_or_list_of(_one_of(LICENSES)),
    "language": _one_or_list_of(_language),
    "language_bcp47": _list_of(_string),
    "pretty_name": _string,
    "tags": _list_of(_string),
    "size_categories": _one_or_list_of(_one_of(SIZE_CATEGORIES)),
    "configs": _configs,
    "viewer": _boolean,
}
