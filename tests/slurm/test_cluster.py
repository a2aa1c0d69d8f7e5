"""`make submit` on a real Slurm cluster of two nodes: all is pushed once, whatever happens in between."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from localhub.faults import Fault
from localhub.testing import RunningHub
from scripts.cluster import Cluster, running_cluster
from tests.helpers.box import REPOS, Box, data_commits
from tests.helpers.racing import processes_of
from tests.helpers.stock import NewBox
from tests.slurm.conftest import Site, site_of, wait_until
from wikidata.config import Table

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def assert_pushed_once(hub: RunningHub, box: Box, *chunks: int, folds: int = 0) -> None:
    """Each of these chunks, and no other, was sent once for each table, recorded once, and is there; so many folds."""
    for table, repo in REPOS.items():
        sent = [commit.title for commit in data_commits(hub, repo) if not commit.title.startswith("Fold")]
        recorded = [commit.title for commit in hub.commits(repo) if commit.title.startswith("Record")]
        assert len(sent) == len(chunks) + folds, sent
        assert sorted(recorded) == [f"Record chunk {chunk} of {table}" for chunk in chunks]
        assert f"{len(chunks)} of {len(chunks)} chunks are published" in hub.read(repo, "README.md").decode()
    assert {step for chunk in chunks for step in box.steps(chunk)} == {4}
    verified = box.wikidata("verify", DEEP="all")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def begun(hub: RunningHub, site: Site) -> str:
    """Submit, and wait until the first commit of each table hangs; returns the task that runs."""
    hub.set_faults(Fault("commit", action="hang", times=len(Table)))
    site.submit(CHUNK="3")
    wait_until(lambda: hub.struck() == [len(Table)], site.said)
    ((task, state),) = site.tasks("%i", "%T")
    assert state == "RUNNING"
    return task


def test_due_chunks_are_spread_over_the_nodes_pushed_once_and_folded(hub: RunningHub, site: Site) -> None:
    said = site.submit(FOLD="3", LAYOUT="packed")
    array = said.split()[1].rstrip(":")
    assert said.startswith(f"job {array}: chunks 3 to 5; ")
    assert site.submit(FOLD="3", LAYOUT="packed") == "queued or running already: chunks 3 to 5\n"
    assert "at Slurm, " in site.box.make("status").stdout
    site.wait_for_end()
    assert {site.facts(f"{array}_{chunk}")["NodeList"] for chunk in (3, 4, 5)} == {"n1", "n2"}
    assert_pushed_once(hub, site.box, 3, 4, 5, folds=1)
    for repo in REPOS.values():
        assert {path for path in hub.files(repo) if path.startswith("manifests/chunk")} == {"manifests/chunk_3-5.csv"}
    assert site.submit() == "nothing is due\n"


def test_two_submissions_at_once_submit_each_chunk_once(hub: RunningHub, site: Site) -> None:
    with ThreadPoolExecutor() as pool:
        said = sorted(pool.map(lambda _: site.submit(), range(2)))
    assert said[1] == "queued or running already: chunks 3 to 5\n"
    site.wait_for_end()
    assert_pushed_once(hub, site.box, 3, 4, 5)


def test_a_node_that_dies_costs_its_task_a_rerun_on_the_other(hub: RunningHub, new_box: NewBox) -> None:
    with running_cluster() as cluster:
        site = site_of(cluster, new_box(chunks={3: 1}, keys=2, rows=2))
        task = begun(hub, site)
        node = site.facts(task)["NodeList"]
        cluster.kill_node(node)
        wait_until(lambda: site.tasks("%T") == [["PENDING"]])
        assert "uploading" not in site.box.make("status").stdout  # the locks have died with it
        site.start_soon(task)
        site.wait_for_end()
        facts = site.facts(task)
        assert (facts["JobState"], facts["Restarts"]) == ("COMPLETED", "1")
        assert facts["NodeList"] != node
        assert_pushed_once(hub, site.box, 3)


@pytest.mark.parametrize("end", ["preempted", "out of time"])
def test_a_task_that_has_to_stop_goes_on_later(hub: RunningHub, cluster: Cluster, new_box: NewBox, end: str) -> None:
    site = site_of(cluster, new_box(chunks={3: 1}, keys=2, rows=2))
    task = begun(hub, site)
    if end == "preempted":
        cluster.ask("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=true")
    else:
        cluster.ask("scancel", "--signal=USR1", "--batch", task)  # as --signal in the script has it
    wait_until(lambda: site.facts(task)["Restarts"] == "1", site.said)
    wait_until(lambda: processes_of(site.box) == [])
    wait_until(lambda: site.facts(task)["JobState"] != "COMPLETING")
    site.start_soon(task)
    site.wait_for_end()
    assert site.facts(task)["JobState"] == "COMPLETED", site.said()
    assert_pushed_once(hub, site.box, 3)


def test_what_scancel_leaves_is_completed_by_the_next_submission(
    hub: RunningHub, cluster: Cluster, new_box: NewBox
) -> None:
    site = site_of(cluster, new_box(chunks={3: 1}, keys=2, rows=2))
    task = begun(hub, site)
    cluster.ask("scancel", task)
    site.wait_for_end()
    assert site.facts(task)["JobState"] == "CANCELLED"
    wait_until(lambda: processes_of(site.box) == [])
    assert "interrupted: nothing is lost" in site.said()
    site.submit()
    site.wait_for_end()
    assert_pushed_once(hub, site.box, 3)


def test_a_quota_that_all_hit_is_waited_for_by_all_and_nobody_hammers(hub: RunningHub, site: Site) -> None:
    hub.set_faults(Fault("commit", status=429, times=None, retry_after=600))
    array = site.submit(TASKS_AT_ONCE="2").split()[1].rstrip(":")
    wait_until(lambda: site.tasks("%T", "%r") == [["PENDING", "BeginTime"]] * 3, site.said)
    assert hub.struck()[0] <= 2 * 2 * len(Table)  # of two tasks; a CLI may ask twice before it is killed
    assert not (site.box.root / "logs" / "chunk_5").exists()  # the third has not even started one
    waits = {site.facts(f"{array}_{chunk}")["StartTime"] for chunk in (3, 4, 5)}
    assert all(start > site.facts(f"{array}_3")["SubmitTime"] for start in waits)
    hub.reset_counts()
    site.start_soon(*(f"{array}_{chunk}" for chunk in (3, 4, 5)))  # too early
    wait_until(lambda: {site.facts(f"{array}_{chunk}")["Restarts"] for chunk in (3, 4, 5)} == {"2"}, site.said)
    wait_until(lambda: site.tasks("%T", "%r") == [["PENDING", "BeginTime"]] * 3, site.said)
    assert hub.counts().total == 0
    hub.clear_faults()
    (site.box.root / "manifests" / ".not-before.json").unlink()
    site.start_soon(*(f"{array}_{chunk}" for chunk in (3, 4, 5)))
    site.wait_for_end()
    assert_pushed_once(hub, site.box, 3, 4, 5)


def test_what_fails_for_good_fails_its_task_and_keeps_the_log(site: Site) -> None:
    site.box.files(Table.LINKS, 4)[0].write_bytes(b"")
    array = site.submit(FOLD="3").split()[1].rstrip(":")
    site.wait_for_end()
    states = {chunk: site.facts(f"{array}_{chunk}")["JobState"] for chunk in (3, 4, 5)}
    assert states == {3: "COMPLETED", 4: "FAILED", 5: "COMPLETED"}
    assert "is empty" in (site.box.root / "logs" / "tasks" / f"push-{array}_4.log").read_text()
    assert (site.box.root / "logs" / "tasks" / f"fold-{int(array) + 1}.log").exists()
