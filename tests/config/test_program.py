"""Configured jobs, through the program."""

from __future__ import annotations

import json

import pytest

TWO = """
jobs:
  office:
    kind: twoway
    left: share
    right: ${CLOUD}
    ignore: ["*.tmp"]
    rules:
      - match: "*.docx"
        changed_both: hold
  pictures:
    kind: mirror
    source: photos
    target: usb
"""


@pytest.fixture
def two(home):
    home.write(TWO)
    home.write("CLOUD=cloud\n", ".env")
    home.make({"share/a.txt": "a", "share/b.tmp": "b", "share/c.docx": "c", "photos/p": "p"})
    for name in ("cloud", "usb"):
        (home.folder / name).mkdir()
    return home


def run(home, *args, code=0):
    found, document = home.json("run", *args)
    assert found == code, document
    return document


def test_plan_changes_nothing_and_run_does_what_it_said(two):
    assert two("config", "check").returncode == 0
    code, planned = two.json("plan")
    assert code == 0 and [(job["job"], job["outcome"]) for job in planned["jobs"]] == [
        ("office", "planned"), ("pictures", "planned"),
    ]  # fmt: skip
    assert not two.state.exists() and two.tree("cloud") == {}
    done = run(two, "--all")
    assert [job["plan"] for job in done["jobs"]] == [job["plan"] for job in planned["jobs"]]
    assert two.tree("cloud") == {"a.txt": "a", "c.docx": "c"} and two.tree("usb") == {"p": "p"}
    assert [job["outcome"] for job in run(two)["jobs"]] == ["in-sync", "in-sync"]
    (alone,) = [run(two, "pictures")]
    assert alone["kind"] == "mirror" and set(alone["roots"]) == {"source", "target"}


def test_a_rule_holds_its_paths_only(two):
    run(two)
    for name in ("a.txt", "c.docx"):
        two.make({f"share/{name}": "left side", f"cloud/{name}": "the right side"})
    done = run(two, "office", code=1)
    assert {(row["path"], row["policy"]) for row in done["conflicts"]} == {("a.txt", "keep-both"), ("c.docx", "hold")}
    assert (two.folder / "share/c.docx").read_text() == "left side"


@pytest.mark.parametrize(
    ("before", "after"), [("ignore: []", "ignore: ['*.tmp']"), ("rules: []", "rules: [{match: '*.tmp', ignore: true}]")]
)
def test_a_changed_filter_deletes_nothing_and_what_enters_is_new(home, before, after):
    job = "jobs:\n  j:\n    kind: twoway\n    left: l\n    right: r\n"
    home.make({"l/a.tmp": "a", "l/b.tmp": "b", "l/c.tmp": "c", "l/d.tmp": "d", "l/e": "e"})
    (home.folder / "r").mkdir()
    home.write(job + f"    {before}\n")
    run(home)
    home.write(job + f"    {after}\n")
    assert run(home)["actions"] == []
    assert len(home.tree("l")) == len(home.tree("r")) == 5
    (home.folder / "l/a.tmp").unlink()  # out of scope: nobody is told
    (home.folder / "l/b.tmp").write_text("left side")
    (home.folder / "r/b.tmp").write_text("the right side")
    (home.folder / "l/c.tmp").write_text("one side only")
    (home.folder / "l/d.tmp").unlink()
    (home.folder / "r/d.tmp").unlink()
    assert run(home)["actions"] == []
    home.write(job + f"    {before}\n")
    done = run(home)
    assert not {row["action"] for row in done["actions"]} & {"trash", "remove"} or done["conflicts"]
    assert {(row["path"], row["rule"]) for row in done["conflicts"]} == {
        ("b.tmp", "created-both"), ("c.tmp", "created-both"),
    }  # fmt: skip
    assert home.tree("l") == home.tree("r")
    assert (home.folder / "l/a.tmp").read_text() == "a"  # new on the right, not deleted on the left
    texts = sorted(home.tree("l").values())
    assert texts == sorted(["a", "e", "left side", "the right side", "one side only", "c"])


def test_another_name_or_other_folders_are_a_new_job(home):
    home.make({"l/a": "a", "l/b": "b", "r/.keep": ""})
    home.write("jobs:\n  j: {kind: twoway, left: l, right: r}\n")
    run(home)
    (home.folder / "l/b").unlink()
    home.write("jobs:\n  renamed: {kind: twoway, left: l, right: r}\n")
    done = run(home)
    assert [row["why"] for row in done["actions"]] == ["created-right"] and "b" in home.tree("l")
    (home.folder / "m").mkdir()
    home.write("jobs:\n  renamed: {kind: twoway, left: m, right: r}\n")
    run(home)
    assert home.tree("m") == home.tree("r") == home.tree("l")
    listed = home.json("jobs", "list")[1]["jobs"]
    assert [(job["job"], job["adhoc"]) for job in listed] == [("renamed", False), ("j", False), ("l-r", True)]
    assert home("run", "j").returncode == 2
    assert home("jobs", "forget", "j").returncode == 0


def test_a_configured_job_takes_over_the_memory_of_an_adhoc_one(home):
    home.make({"l/a": "a", "l/b": "b"})
    (home.folder / "r").mkdir()
    home.write("jobs:\n")
    assert home("sync", "l", "r").returncode == 0
    home.write("jobs:\n  docs: {kind: twoway, left: l, right: r}\n")
    (home.folder / "l/b").unlink()
    assert [row["why"] for row in home.json("plan", "docs")[1]["actions"]] == ["deleted-left"]
    assert home.json("jobs", "list")[1]["jobs"][0]["job"] == "docs"
    run(home)
    assert home.tree("r") == {"a": "a"}
    (job,) = home.json("jobs", "list")[1]["jobs"]
    assert (job["job"], job["adhoc"]) == ("docs", False)
    refused = home("sync", "r", "l")
    assert refused.returncode == 2 and "docs" in refused.stderr
    home.write("jobs:\n")
    gone = home("sync", "l", "r")
    assert gone.returncode == 2 and "jobs forget docs" in gone.stderr


def test_a_name_that_an_adhoc_job_has_goes_to_the_configured_one(home):
    home.make({"l/a": "a", "m/a": "a"})
    (home.folder / "r").mkdir()
    home.write("jobs:\n")
    assert home("sync", "l", "r").returncode == 0
    home.write("jobs:\n  l-r: {kind: twoway, left: m, right: r}\n")
    run(home)
    listed = home.json("jobs", "list")[1]["jobs"]
    assert [(job["job"], job["adhoc"]) for job in listed] == [("l-r", False), ("l-r-2", True)]


@pytest.mark.parametrize(
    ("breaks", "code"),
    [
        ("", 0),
        ("hold", 1),
        ("hold refuse", 3),
        ("hold refuse lock", 5),
        ("hold refuse lock never", 2),
    ],
)
def test_the_exit_code_of_several_jobs(home, breaks, code):
    import fcntl

    kinds = {name: f"{{kind: twoway, left: {name}-l, right: {name}-r, changed_both: hold}}" for name in "abcd"}
    for name in "abc":
        home.make({f"{name}-l/x": "x"})
        (home.folder / f"{name}-r").mkdir()
    if "never" not in breaks:
        home.make({"d-l/x": "x", "d-r/x": "x"})
    home.write("jobs:\n" + "".join(f"  {name}: {text}\n" for name, text in kinds.items() if name != "d"))
    run(home)
    home.write("jobs:\n" + "".join(f"  {name}: {text}\n" for name, text in kinds.items()))
    if "hold" in breaks:
        home.make({"a-l/x": "left side", "a-r/x": "the right side"})
    if "refuse" in breaks:
        (home.folder / "b-r/.syncline/root.json").unlink()
    holder = open(home.folder / "c-l/.syncline/lock")  # noqa: SIM115
    if "lock" in breaks:
        fcntl.flock(holder, fcntl.LOCK_EX)
    done = run(home, code=code)
    holder.close()
    assert len(done["jobs"]) == 4
    assert home.json("run", "a", "a")[1].get("jobs") is None


def test_wrong_configurations_stop_before_anything(two):
    two.write("jobs:\n  office:\n    kind: twoway\n    lefft: share\n    right: cloud\n")
    for command in (["run"], ["plan"], ["sync", "share", "cloud"], ["status"], ["config", "check"], ["config", "show"]):
        done = two(*command)
        assert done.returncode == 2 and two.tree("cloud") == {} and not two.state.exists()
        assert f'{two.file}:4: jobs.office.lefft: unknown key (did you mean "left"?)\n' in done.stderr
        assert f"{two.file}:2: jobs.office: missing key left\n" in done.stderr
    code, document = two.json("plan")
    assert code == 2 and document["outcome"] == "error"
    assert [(row["file"], row["line"]) for row in document["errors"]] == [(str(two.file), 2), (str(two.file), 4)]
    assert two("history").returncode == 0


def test_a_file_that_is_not_there(home):
    done = home("plan")
    assert done.returncode == 2 and "there is no configuration file" in done.stderr


def test_a_missing_folder_is_told_by_check_and_stops_that_job(two):
    (two.folder / "usb").rmdir()
    checked = two("config", "check")
    assert checked.returncode == 0 and "jobs.pictures.target" in checked.stderr
    done = two("run")
    assert done.returncode == 2 and two.tree("cloud") != {} and not (two.folder / "usb").exists()


def test_show_tells_origins_and_hides_secrets(two):
    two.write(TWO.replace("share", "${SECRET_FOLDER}"))
    code, shown = two.json("config", "show", SECRET_FOLDER="canary")
    assert code == 0
    rows = {row["key"]: row for row in shown["values"]}
    assert rows["jobs.office.changed_both"]["origin"] == "default"
    assert (rows["jobs.office.kind"]["origin"], rows["jobs.office.kind"]["line"]) == ("file", 3)
    assert (rows["jobs.office.right"]["origin"], rows["jobs.office.right"]["variables"]) == ("environment", ["CLOUD"])
    assert (rows["jobs.office.left"]["value"], rows["jobs.office.left"]["secret"]) == ("***", True)
    assert ".DS_Store" in shown["ignored_litter"]
    text = two("config", "show", SECRET_FOLDER="canary").stdout
    assert "canary" not in text and "canary" not in json.dumps(shown)
    assert "6h  (default; does nothing yet)" in text and ".DS_Store" in text


def test_init_then_check(home):
    assert home("config", "init").returncode == 0
    assert home("config", "check").returncode == 0
    again = home("config", "init")
    assert again.returncode == 2 and "there already" in again.stderr
    assert home("run").returncode == 2


def test_status_and_show_know_jobs_that_never_ran(two):
    rows = two.json("status")[1]["jobs"]
    assert [(row["job"], row["in_sync"], row["last_run"]) for row in rows] == [
        ("office", None, None), ("pictures", None, None),
    ]  # fmt: skip
    (job,) = two.json("jobs", "show", "office")[1]["jobs"]
    assert job["settings"]["rules"][0]["match"] == "*.docx" and job["adhoc"] is False
    near = two("plan", "offise")
    assert near.returncode == 2 and "'office'" in near.stderr


@pytest.mark.parametrize(("mount", "code"), [("", 0), ("/", 0), ("usb", 3)])
def test_the_job_of_plain_variables(home, mount, code):
    home.make({"photos/p": "p"})
    (home.folder / "usb").mkdir()
    home.write(
        f"SOURCE_DIR=photos\nDEST_DIR=usb\nMOUNT_POINT={mount}\nLOG_FILE=logs/s.log\nTO_PHONE_NUMBER=+1\n", ".env"
    )
    done = home("run", "--json", SYNCLINE_CONFIG="")
    assert done.returncode == code and "TO_PHONE_NUMBER: not yet" in done.stderr
    document = json.loads(done.stdout)
    assert (document["job"], document["kind"]) == ("default", "mirror")
    assert home.tree("usb") == ({} if code else {"p": "p"})
    assert (home.folder / "logs/s.log").exists() and not (home.state / "syncline.log").exists()
    shown = home("config", "show", SYNCLINE_CONFIG="").stdout
    assert "+1" not in shown and ".env:1" in shown


def test_the_log_as_it_is_configured(two):
    two.write(TWO + "log: {format: json, level: warning}\n")
    run(two)
    assert not (two.state / "syncline.log").exists()
    two.write(TWO + "log: {format: json}\n")
    run(two)
    lines = [json.loads(line) for line in (two.state / "syncline.log").read_text().splitlines()]
    assert {line["job"] for line in lines if "job" in line} == {"office", "pictures"}
    assert all({"time", "level", "part", "message"} <= line.keys() for line in lines)
