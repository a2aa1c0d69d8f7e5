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

CARD = "README.md"
CONFIGS_AT_MOST = 4_000
"""That the Hub's viewer shows."""
LICENSES = """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0 bigcode-openrail-m
    afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda cc cc0-1.0 cc-by-2.0 cc-by-2.5
    cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0
    cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0
    cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0
    lgpl lgpl-2.1 lgpl-3.0 isc h-research intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl
    openmdw-1.0 openrail++ osl-3.0 postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
    fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community gemma unknown
    other
""".split()
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


def check_card(content: str) -> Verdict:
    """Check the metadata of a card."""
    header = HEADER.match(content)
    if header is None or not header[1].strip():
        return Verdict([], ["empty or missing yaml metadata in repo card"])
    try:
        metadata = yaml.load(header[1], _Loader)  # noqa: S506 - derived from a safe one
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-02-31
        return Verdict([f"Invalid YAML: {error}"], [])
    if not isinstance(metadata, dict | None):
        return Verdict(["Invalid YAML: the metadata must be a mapping"], [])
    return Verdict(list(_check_fields(_FIELDS, "", metadata or {})), list(_warnings(metadata or {})))


class _Loader(yaml.CSafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "duplicated mapping key", node.start_mark)
        return mapping


def _warnings(metadata: dict[str, Any]) -> Iterator[str]:
    configs = metadata.get("configs")
    if isinstance(configs, list) and len(configs) > CONFIGS_AT_MOST:
        yield f'"configs" has {len(configs)} items: the viewer shows no dataset with more than {CONFIGS_AT_MOST}'


def _check_fields(fields: dict[str, Check], prefix: str, values: dict[str, Any]) -> Iterator[str]:
    for name, check in fields.items():
        if values.get(name) is not None:
            yield from check(f"{prefix}{name}", values[name])


def _string(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, str):
        yield f'"{name}" must be a string'


def _boolean(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f'"{name}" must be a boolean'


def _one_of(allowed: list[str]) -> Check:
    def check(name: str, value: object) -> Iterator[str]:
        if value not in allowed:
            yield f'"{name}" must be one of [{", ".join(allowed)}]'

    return check


def _language(name: str, value: object) -> Iterator[str]:
    if not isinstance(value, str):
        yield f'"{name}" must be a string'
    elif not LANGUAGE.fullmatch(value):
        yield (
            f'"{name}" with value "{value}" is not valid. It must be an ISO 639-1, 639-2 or 639-3 code (two/three '
            'letters), or a special value like "code", "multilingual". If you want to use BCP-47 identifiers, you can '
            "specify them in language_bcp47."
        )


def _list_of(check: Check) -> Check:
    def check_list(name: str, value: object) -> Iterator[str]:
        if not isinstance(value, list):
            yield f'"{name}" must be an array'
            return
        for index, item in enumerate(value):
            yield from check(f"{name}[{index}]", item)

    return check_list


def _one_or_list_of(check: Check) -> Check:
    def check_either(name: str, value: object) -> Iterable[str]:
        return (_list_of(check) if isinstance(value, list) else check)(name, value)

    return check_either


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
        return _list_of(_mapping({"split": _string, "path": _one_or_list_of(_string)}, "split", "path"))(name, value)
    return _one_or_list_of(_string)(name, value)


def _configs(name: str, value: object) -> Iterator[str]:
    fields: dict[str, Check] = {"config_name": _string, "data_files": _data_files, "default": _boolean}
    yield from _list_of(_mapping(fields, "config_name"))(name, value)
    names, defaults = set(), []
    for index, config in enumerate(value if isinstance(value, list) else []):
        if isinstance(config, dict) and isinstance(one := config.get("config_name"), str):
            if one in names:
                yield f'"{name}[{index}]" contains a duplicate value'
            names.add(one)
            if config.get("default") or one == "default":
                defaults.append(one)
    if len(defaults) > 1:
        yield f'"{name}" has several defaults: {", ".join(defaults)}'


def _dataset_info(name: str, value: object) -> Iterable[str]:
    fields: dict[str, Check] = {"config_name": _string}
    return (_list_of(_mapping(fields, "config_name")) if isinstance(value, list) else _mapping(fields))(name, value)


_STRINGS = _one_or_list_of(_string)
_FIELDS: dict[str, Check] = {
    "license": _one_or_list_of(_one_of(LICENSES)),
    "license_name": _string,
    "license_link": _string,
    "language": _one_or_list_of(_language),
    "language_bcp47": _list_of(_string),
    "pretty_name": _string,
    "tags": _list_of(_string),
    "size_categories": _one_or_list_of(_one_of(SIZE_CATEGORIES)),
    "source_datasets": _STRINGS,
    "task_categories": _STRINGS,
    "task_ids": _STRINGS,
    "annotations_creators": _STRINGS,
    "language_creators": _STRINGS,
    "configs": _configs,
    "dataset_info": _dataset_info,
}
