"""build --check and --call: forms of output and exit codes. Layouts and texts: dockerfile.md 15 and docker's own printer."""
import base64
import json
import textwrap

import pytest

STAGE = "https://docs.docker.com/go/dockerfile/rule/stage-name-casing/"


@pytest.fixture
def check(slipway, context):
    """check(dockerfile, *options, files={}) -> Result of build --check."""
    def run(dockerfile, *options, files=None, **run_options):
        run.folder = context({**(files or {}), "Dockerfile": textwrap.dedent(dockerfile)})
        return slipway.build(run.folder, *(options or ["--check"]), **run_options)
    return run


def test_nothing_found(check):
    result = check("FROM scratch\nCOPY a /a\n").ok()
    assert result.out == "Check complete, no warnings found.\n"


def test_one_warning(check):
    result = check("FROM scratch AS Base\n")
    assert result.code == 1
    assert result.out == (
        f"\nWARNING: StageNameCasing - {STAGE}\nStage name 'Base' should be lowercase\n"
        "Dockerfile:1\n--------------------\n   1 | >>> FROM scratch AS Base\n   2 |     \n--------------------\n"
        "\nCheck complete, 1 warning has been found!\n")


def test_excerpts_are_dockers(check):
    """Two lines around one line, one around several; more behind where there are none in front."""
    result = check("FROM scratch\nENV A=1\nENV B=2\nENV t c\nENV D=4\nENV E=5\nENV F=6\n")
    assert ("Dockerfile:4\n--------------------\n   2 |     ENV A=1\n   3 |     ENV B=2\n   4 | >>> ENV t c\n   5 |     ENV D=4\n"
            "   6 |     ENV E=5\n--------------------\n") in result.out
    result = check("FROM scratch\nENV A=1\nENV t \\\n c\nENV D=4\nENV E=5\n")
    assert ("Dockerfile:3\n--------------------\n   2 |     ENV A=1\n   3 | >>> ENV t \\\n   4 | >>>  c\n   5 |     ENV D=4\n"
            "--------------------\n") in result.out
    result = check("FROM scratch as b\nENV A=1\nENV B=2\nENV C=3\n")
    assert ("Dockerfile:1\n--------------------\n   1 | >>> FROM scratch as b\n   2 |     ENV A=1\n   3 |     ENV B=2\n"
            "--------------------\n") in result.out


def test_several_in_the_order_of_lines(check):
    result = check("FROM scratch\nCMD x\nWORKDIR y\nMAINTAINER z\n")
    assert result.code == 1 and result.out.endswith("\nCheck complete, 3 warnings have been found!\n")
    places = [result.out.index(name) for name in ("JSONArgsRecommended", "WorkdirRelativePath", "MaintainerDeprecated")]
    assert places == sorted(places)


def test_suggestions_do_not_count(check):
    files = {".git/HEAD": "x", ".env": "x", "node_modules/a": "x"}
    result = check("FROM scratch\nRUN apt-get install -y x\nCOPY . /\n", files=files).ok()
    assert "SUGGESTION: CacheMountRecommended\n" in result.out and "SUGGESTION: CopyUnwantedFiles\n" in result.out
    assert "takes in .git, node_modules, .env" in result.out
    assert result.out.endswith("Check complete, no warnings found.\n")
    check("# check=error=true\nFROM scratch\nRUN apt-get install -y x\n").ok()


def test_an_error_follows_what_was_found(check):
    result = check("FROM scratch AS B\nCOPPY a b\n")
    result.fails("Dockerfile:2:1: unknown instruction: COPPY (did you mean COPY?)")
    assert "Check complete" not in result.out
    result = check("FROM scratch AS B\nCOPY --from=7 a b\n")
    result.fails("Dockerfile:2:13: invalid stage index 7")
    assert "StageNameCasing" in result.out


def test_options_of_the_file_and_of_the_command(check):
    check("# check=skip=StageNameCasing\nFROM scratch AS B\n").ok()
    check("# check=skip=all;error=true\nFROM scratch AS B\n").ok()
    result = check("# check=error=true\nFROM scratch AS B\n")
    result.fails("lint violation found for rules: StageNameCasing")
    assert "WARNING: StageNameCasing" in result.out
    arg = ["--check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=skip=StageNameCasing"]
    check("FROM scratch AS B\n", *arg).ok()
    check("# check=skp=x\nFROM scratch\n").fails("Dockerfile:1:1", "did you mean skip?")
    check("FROM scratch\n", "--check", "--build-arg", "BUILDKIT_DOCKERFILE_CHECK=x").fails("BUILDKIT_DOCKERFILE_CHECK", code=2)
    assert check("FROM scratch AS B\n", "--call=check,ignorestatus=true").ok().out.startswith("\nWARNING")


@pytest.mark.parametrize("options", [["--check", "--format", "json"], ["--call", "check,format=json"], ["--call=lint,format=json"]])
def test_json(check, options):
    text = "FROM scratch AS B\nRUN npm \\\n ci\n"
    result = check(text, *options)
    assert result.code == 1
    document = json.loads(result.out)
    assert [(w["ruleName"], w["level"]) for w in document["warnings"]] == [
        ("StageNameCasing", "warning"), ("CacheMountRecommended", "suggestion")]
    first, second = document["warnings"]
    assert first["url"] == STAGE and first["detail"] == "Stage name 'B' should be lowercase"
    assert first["description"] == "Stage names should be lowercase" and "url" not in second
    assert second["location"] == {"ranges": [{"start": {"line": 2}, "end": {"line": 3}}]}
    source, = document["sources"]
    assert source["filename"] == "Dockerfile" and source["language"] == "Dockerfile"
    assert base64.b64decode(source["data"]).decode() == text
    assert "buildError" not in document


def test_json_of_an_error(check):
    result = check("FROM scratch\nENV A=${B:9}\n", "--check", "--format=json").fails("unsupported modifier")
    error = json.loads(result.out)["buildError"]
    assert error["message"].startswith("Dockerfile:2:7: ") and error["location"]["ranges"][0]["start"] == {"line": 2, "character": 6}
    result = check("FROM scratch AS b\n", "--check", "--format=json").ok()
    assert json.loads(result.out)["warnings"] == []


@pytest.mark.parametrize("options, words", [
    (["--call=nothing"], ["check, outline or targets"]), (["--format=json"], ["--format needs"]), (["--check", "--format=xml"], ["text or json"]),
    (["--check", "--call=targets"], ["exclude"]), (["--call=check,x=1"], ["unknown field"]),
])
def test_wrong_usage(check, options, words):
    check("FROM scratch\n", *options).fails(*words, code=2)


def test_all_stages_or_those_of_the_target(check):
    text = "FROM scratch AS a\nCMD x\nFROM scratch AS b\nWORKDIR y\n"
    assert "have been found" in check(text).out
    result = check(text, "--check", "--target", "b")
    assert "JSONArgs" not in result.out and "WorkdirRelativePath" in result.out
    check(text, "--check", "--target", "c").fails("target stage")


def test_base_images_are_looked_at(slipway, context, tiny, build):
    build("FROM tiny\nSHELL [\"/bin/sh\", \"-c\"]\nENV KNOWN=1\nONBUILD ENV MORE=$NOWHERE\n", {}, "-t", "base:1")
    folder = context({"Dockerfile": "FROM base:1\nCMD x\nLABEL a=$KNOWN\nLABEL b=$KNWON\n"})
    result = slipway.build(folder, "--check")
    assert result.code == 1
    assert "JSONArgs" not in result.out and "'$KNWON' (did you mean $KNOWN?)\nDockerfile:4" in result.out
    assert "'$NOWHERE'\nDockerfile:1\n" in result.out, "a trigger's warning stands at its FROM"
    folder = context({"Dockerfile": "FROM --platform=$OTHER base:1\n"})
    result = slipway.build(folder, "--check", "--build-arg", "OTHER=linux/s390x")
    assert "UndefinedArgInFrom" in result.out


def test_a_check_builds_nothing(slipway, check):
    check("FROM scratch\nRUN false\nCOPY missing /\n").ok()
    assert not list((slipway.root / "layers").glob("*/*")) and not list((slipway.root / "cache").glob("??/*"))


def test_a_normal_build(build):
    """Warnings at the end, also of a build that fails; error=true ends it before its first step; suggestions are silent."""
    result = build("FROM tiny AS B\nRUN true\nRUN : apt-get; true && apt-get install x || true\n").result
    assert result.err.count("WARNING") == 1 and "Dockerfile:1: StageNameCasing: Stage name 'B' should be lowercase" in result.err
    result = build.fails("FROM tiny\nLABEL a=$FOO\nRUN exit 3\n", "exit code: 3", "UndefinedVar: Usage of undefined variable '$FOO'")
    result = build.fails("# check=error=true\nFROM tiny AS B\nRUN echo ran\n", "lint violation found for rules: StageNameCasing",
                         "Stage name 'B'")
    assert "ran" not in result.err.replace("echo ran", "")


def annotations(result):
    return [line for line in result.err.splitlines() if line.startswith("::")]


def test_annotations(slipway, check, context, folder):
    actions = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(folder)}
    result = check("FROM scratch AS B\nRUN pip \\\n install x\n", env=actions)
    path = f"{check.folder.name}/Dockerfile"
    assert annotations(result) == [
        f"::warning file={path},line=1,col=1,title=StageNameCasing::Stage name 'B' should be lowercase",
        f"::notice file={path},line=2,endLine=3,col=1,title=CacheMountRecommended::\"pip install\" downloads again what an earlier build had%3A"
        .replace("%3A", ":") + " RUN --mount=type=cache,target=/root/.cache/pip keeps it"]
    assert not annotations(check("FROM scratch AS B\n")) and not annotations(check("FROM scratch AS B\n", env={"GITHUB_ACTIONS": "false"}))
    assert not [line for line in result.out.splitlines() if line.startswith("::")]
    # Without a workspace, and inside it, the path as it was named.
    inner = context({"sub/a,b:c%.docker": "FROM scratch AS B\n"})
    result = slipway.build(".", "--check", "-f", "./sub/a,b:c%.docker", cwd=inner, env={"GITHUB_ACTIONS": "true"})
    assert annotations(result)[0].startswith("::warning file=sub/a%2Cb%3Ac%25.docker,line=1,")
    result = slipway.build(".", "--check", "-f", "sub/a,b:c%.docker", cwd=inner, env=actions)
    assert annotations(result)[0].startswith(f"::warning file={inner.name}/sub/")


def test_annotations_of_errors(slipway, check, build, folder):
    actions = {"GITHUB_ACTIONS": "true"}
    result = check("FROM scratch\nCOPPY a b\n", "--progress=plain", env=actions)
    line, = annotations(result)
    assert line.startswith("::error file=") and ",line=2,col=1,title=slipway build::Dockerfile:2:1: unknown instruction: COPPY" in line
    assert "%0A  2 | COPPY a b%0A" in line
    result = check("FROM scratch AS B\nCOPY nope /\n", "--progress=plain", env=actions)
    warning, error = annotations(result)
    assert "title=StageNameCasing" in warning and ",line=2,col=6," in error
    assert not annotations(check("FROM scratch AS B\nCOPY nope /\n", "--progress=json", env=actions))
    result = slipway("build", "--no-such-flag", ".", env=actions)
    assert result.code == 2 and not annotations(result)


def test_targets(check):
    text = "# build compiles it\nFROM scratch AS build\nFROM build\nFROM build AS Last\n"
    result = check(text, "--call=targets").ok()
    assert result.out == "TARGET         DESCRIPTION\nbuild          compiles it\n               \nlast (default) \n"
    targets = json.loads(check(text, "--call=targets,format=json").ok().out)["targets"]
    assert targets[0] == {"name": "build", "description": "compiles it", "base": "scratch",
                          "location": {"ranges": [{"start": {"line": 2}, "end": {"line": 2}}]}}
    assert targets[2]["default"] is True and "name" not in targets[1]
    assert check("FROM scratch\n", "--call=targets").ok().out == "TARGET    DESCRIPTION\n(default) \n"


def test_outline(check):
    text = """\
        # V of the base
        ARG V=1
        ARG UNUSED=2
        ARG TAG=x$V
        FROM scratch AS base
        ARG INNER
        ARG TARGETOS
        RUN --mount=type=secret,id=token,required --mount=type=ssh true
        FROM base AS final
        # final says what is built
        FROM scratch$NOTHING AS final
        ARG V
        # W is its width
        ARG W=$V-w
        COPY --from=base / /
        RUN --mount=type=secret,id=other true
    """
    result = check(text, "--call=outline").ok()
    assert result.out == ("TARGET:      final\nDESCRIPTION: says what is built\n\n"
                          "BUILD ARG   VALUE   DESCRIPTION\nV           1       of the base\nINNER               \n"
                          "W           1-w     is its width\n\n"
                          "SECRET   REQUIRED\ntoken    true\nother    \n\nSSH       REQUIRED\ndefault   \n\n")
    outline = json.loads(check(text, "--call=outline,format=json", "--build-arg", "W=9").ok().out)
    assert [(a["name"], a.get("value")) for a in outline["args"]] == [("V", "1"), ("INNER", None), ("W", "9")]
    assert outline["secrets"][0]["required"] is True and outline["ssh"][0]["name"] == "default" and outline["name"] == "final"
    assert check("ARG B=scratch\nARG C=$B\nFROM $C\n", "--call=outline").ok().out == (
        "BUILD ARG   VALUE     DESCRIPTION\nB           scratch   \nC           scratch   \n\n")
