"""Settings come from the environment, and what makes no sense is refused by name."""

import re
import subprocess
from pathlib import Path

import pytest

from wikidata.config import HF_USER, REPO_TARGET, ROOT, SETTINGS, Settings, Table, target_repos
from wikidata.errors import UsageError


def test_repo_names_are_those_of_the_specification() -> None:
    repos = {tbl: REPO_TARGET.format(hf_user=HF_USER, tbl=tbl) for tbl in Table}
    assert repos == target_repos(HF_USER)
    assert repos[Table.LABELS] == "permutans/wikidata-labels"
    assert [str(table) for table in Table] == ["labels", "descriptions", "aliases", "links", "claims"]


def test_only_links_are_partitioned_by_site() -> None:
    assert {table: table.partition_column for table in Table if table.partition_column != "language"} == {
        Table.LINKS: "site"
    }


def test_folders_lie_where_a_command_runs_unless_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"STATE_DIR": "/srv/state", "LOG_DIR": "below", "AUDIT_DIR": ""})
    assert settings.state_dir == Path("/srv/state")
    assert settings.log_dir == tmp_path / "below"
    assert settings.audit_dir == tmp_path / "audit"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JOBS", "0"),
        ("JOBS", "five"),
        ("JOBS", "٣"),
        ("WORKERS", "-1"),
        ("STALL_MINUTES", "0"),
        ("STALL_MINUTES", "inf"),
        ("STALL_MINUTES", "."),
        ("RETRY_SECONDS", "-2"),
        ("DRY_RUN", "yes"),
        ("PRIVATE", "true"),
        ("HF_USER", "a/b"),
        ("HF_USER", "-x"),
        ("HF_USER", "a b"),
    ],
)
def test_senseless_settings_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"^{name}"):
        Settings.from_environment({name: value})


@pytest.mark.parametrize("staging", ["manifests", ".", "manifests/..", "logs"])
def test_staging_must_not_hold_another_folder(tmp_path: Path, staging: str) -> None:
    folders = {"MANIFEST_DIR": str(tmp_path / "manifests"), "LOG_DIR": str(tmp_path / "logs" / "push")}
    with pytest.raises(UsageError, match="STAGING_DIR: must not hold (MANIFEST|LOG)_DIR"):
        Settings.from_environment(folders | {"STAGING_DIR": str(tmp_path / staging)})
    Settings.from_environment(folders | {"STAGING_DIR": str(tmp_path / "results" / "staging")})


def test_every_variable_is_explained_in_the_docs_as_by_make() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        assert f"| `{setting.name}` | {default} | {setting.help} |\n".replace("|  |", "| |") in text
    for name in re.findall(r"^([A-Z_]+) \?=", (ROOT / "Makefile").read_text(), re.MULTILINE):
        assert f"| `{name}` |" in text


def test_make_lists_every_setting() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for setting in SETTINGS:
        assert re.search(
            rf"^  {setting.name} +{re.escape(setting.default)} +{re.escape(setting.help)}$", listed, re.MULTILINE
        )


@pytest.mark.parametrize("given", ["http://hub:8080/", " http://hub:8080 ", "http://hub:8080//", "http://hub:8080"])
def test_an_endpoint_is_taken_as_the_hubs_own_tools_take_it(given: str) -> None:
    assert Settings.from_environment({"HF_ENDPOINT": given}).hf_endpoint == "http://hub:8080"


@pytest.mark.parametrize("given", ["hub:8080", "ftp://hub", "http://", "https:// x"])
def test_an_endpoint_without_a_scheme_is_a_usage_error(given: str) -> None:
    with pytest.raises(UsageError, match=r"^HF_ENDPOINT=.*: must be an address such as https://huggingface\.co$"):
        Settings.from_environment({"HF_ENDPOINT": given})
