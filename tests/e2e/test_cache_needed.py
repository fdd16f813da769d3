"""Only what is needed runs: stages, their order, what a changed upstream means, and the options that leave the cache aside."""
import json
import shutil
import subprocess

import pytest

RANDOM = "cat /proc/sys/kernel/random/uuid > /uuid"

# Waits for the files of the others in a folder that all stages share; 30 s, then it fails.
MEET = ("touch /meet/{0}; i=0; until {1}; do i=$((i+1)); [ $i -lt 300 ] || exit 9; sleep 0.1; done; echo {0} > /met")


def meeting(names, base="tiny"):
    there = " && ".join(f"[ -e /meet/{name} ]" for name in names)
    stages = [f"FROM {base} AS {name}\nRUN --mount=type=cache,id=meet,target=/meet {MEET.format(name, there)}\n"
              for name in names]
    copies = "".join(f"COPY --from={name} /met /met-{name}\n" for name in names)
    return "".join(stages) + "FROM scratch\n" + copies


@pytest.mark.parametrize("number", [2, 4])
def test_independent_stages_run_at_the_same_time(build, number):
    """Each waits for all others: one after the other they would never meet, however many CPUs there are."""
    names = [f"stage{i}" for i in range(number)]
    built = build(meeting(names))
    assert [built.text(f"/met-{name}") for name in names] == [f"{name}\n" for name in names]


def test_stages_on_a_common_stage_run_at_the_same_time(build):
    built = build("FROM tiny AS common\nRUN touch /common\n" + meeting(["a", "b"], "common"))
    built.has("met-a", "met-b")


def test_a_stage_waits_for_all_that_it_needs(build):
    built = build("""FROM tiny AS slow
RUN sleep 1; echo slow > /f
FROM tiny AS quick
RUN echo quick > /f
FROM tiny AS both
COPY --from=slow /f /slow
RUN --mount=from=quick,source=/f,target=/q cat /q > /quick
FROM both
RUN cat /slow /quick > /all
""")
    assert built.text("/all") == "slow\nquick\n"


def test_one_failure_ends_the_other_stages(build):
    failed = build.fails("FROM tiny AS a\nRUN sleep 60\nFROM tiny AS b\nRUN sleep 0.5; exit 7\nFROM tiny\n"
                         "COPY --from=a / /a\nCOPY --from=b / /b\n", "exit code: 7")
    assert failed.seconds < 30


@pytest.mark.parametrize("target", [None, "wanted"])
def test_stages_that_nobody_needs_do_not_run(build, slipway, target):
    text = ("FROM tiny AS unused\nRUN exit 1\nCOPY not-there /x\nFROM nowhere.invalid/x AS unreachable\nRUN exit 1\n"
            "FROM tiny AS wanted\nRUN echo x > /x\n")
    if target:
        text += "FROM tiny AS later\nRUN exit 1\n"
    built = build(text, {}, *(["--target", target] if target else []))
    assert built.text("/x") == "x\n" and "unused" not in built.result.err


def test_what_only_a_skipped_stage_needs_is_skipped(build):
    build("FROM tiny AS a\nRUN exit 1\nFROM tiny AS b\nCOPY --from=a /x /x\nFROM tiny\nRUN true\n")


def test_an_upstream_rebuild_with_the_same_result_still_hits(build):
    """Whatever the way: COPY --from, a mount of the stage, FROM the stage."""
    text = ("FROM tiny AS up\nRUN echo {} >/dev/null; echo same > /f; touch -d @1000000000 /f /\n"
            f"FROM tiny AS copied\nCOPY --from=up /f /f\nRUN {RANDOM}\n"
            f"FROM tiny AS mounted\nRUN --mount=from=up,source=/f,target=/f {RANDOM}\n"
            f"FROM up AS child\nRUN {RANDOM}\n"
            "FROM scratch\n" + "".join(f"COPY --from={s} /uuid /{s}\n" for s in ("copied", "mounted", "child")))
    one = build(text.format(1))
    two = build(text.format(2))
    assert "CACHED" in two.result.err
    assert [one.text(f) for f in ("copied", "mounted", "child")] == [two.text(f) for f in ("copied", "mounted", "child")]
    three = build(text.replace("same", "other").format(2))
    assert not {one.text(f) for f in ("copied", "mounted", "child")} & {three.text(f)
                                                                       for f in ("copied", "mounted", "child")}


def test_the_same_step_in_two_stages_is_made_once(build):
    built = build(f"FROM tiny AS a\nRUN {RANDOM}\nFROM tiny AS b\nRUN {RANDOM}\nFROM scratch\n"
                  "COPY --from=a /uuid /a\nCOPY --from=b /uuid /b\n")
    assert built.text("/a") == built.text("/b")


THREE = ("".join(f"FROM tiny AS {name}\nRUN {RANDOM} # {name}\n" for name in ("one", "Two", "three"))
         + "FROM scratch\n" + "".join(f"COPY --from={name} /uuid /{name}\n" for name in ("one", "Two", "three")))


@pytest.mark.parametrize("options, again", [
    ((), ""), (("--no-cache",), "one Two three"), (("--no-cache-filter", "one"), "one"),
    (("--no-cache-filter", "one,three"), "one three"), (("--no-cache-filter=TWO",), "Two"),
    (("--no-cache-filter", "one", "--no-cache-filter", "two"), "one Two"),
], ids=lambda x: " ".join(x) if isinstance(x, tuple) else None)
def test_options_that_leave_the_cache_aside(build, options, again):
    one = build(THREE)
    two = build(THREE, None, *options)
    assert {n for n in ("one", "Two", "three") if one.text(n) != two.text(n)} == set(again.split())
    # What was built anew is the new record.
    three = build(THREE)
    assert [three.text(n) for n in ("one", "Two", "three")] == [two.text(n) for n in ("one", "Two", "three")]


def test_a_filter_that_names_no_stage_is_told(build):
    built = build(THREE, None, "--no-cache-filter", "on")
    assert "--no-cache-filter on: Dockerfile has no stage of this name" in built.result.err


def test_pull_asks_for_a_newer_base(login, registry, build, context, tiny, folder):
    """Without --pull the image that is known by the name; with it the registry's."""
    name = f"{registry.host}/cache/base:1"
    text = f"FROM {name}\nCOPY f /f\nRUN {RANDOM}\n"

    def publish(marker):
        other = login.other()
        other.env["HOME"] = str(login.home)
        top = context({"Dockerfile": f"FROM tiny\nRUN echo {marker} > /marker\n"})
        other.build(top, "-t", name, "--build-context", f"tiny=oci-layout:{tiny}").ok()
        other("push", name).ok()
        return json.loads(other("inspect", name).ok().out)[0]

    publish("first")
    one = build(text, {"f": "f"})
    publish("second")
    two = build.again()
    assert two.text("/marker") == "first\n" and two.text("/uuid") == one.text("/uuid")
    three = build.again("--pull", "--explain")
    assert three.text("/marker") == "second\n" and three.text("/uuid") != one.text("/uuid")
    assert "MISS step 2: base moved sha256:" in three.result.err
    # Pulled and unchanged: everything hits.
    four = build.again("--pull", "--explain")
    assert four.text("/uuid") == three.text("/uuid") and "MISS" not in four.result.err


def test_a_cached_build_needs_no_layer_of_its_base(login, registry, build, context, tiny):
    """Nothing is fetched that no step reads: with every step a hit not one blob of a layer is asked for."""
    name = f"{registry.host}/cache/lazy:1"
    other = login.other()
    other.env["HOME"] = str(login.home)
    other.build(context({"Dockerfile": "FROM tiny\nRUN head -c 100000 /dev/zero > /zeros\n"}), "-t", name, "--build-context",
                f"tiny=oci-layout:{tiny}").ok()
    other("push", name).ok()
    built = build(f"FROM {name} AS base\nRUN true\nFROM scratch\nCOPY --from=base /zeros /z\n")
    since = registry.mark()
    again = build.again()
    assert again.document["rootfs"] == built.document["rootfs"]
    assert not [r for r in registry.requests(since) if "/blobs/" in r[1]]
