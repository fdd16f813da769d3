"""What the plan of a deploy says about the image: what it is checked for, and what changes from the one that runs."""
import pytest

from helpers.deploying import DOCKERFILE, HOST, needs_models

pytestmark = needs_models


def plan(done):
    """The lines about the image."""
    text = done.err + done.out
    assert "what changes in the image:\n" in text, str(done)
    lines = text.split("what changes in the image:\n")[1].splitlines()
    return [line.strip() for line in lines[:next(i for i, line in enumerate(lines) if not line.startswith("    "))]]


def test_environment_and_files_that_change(deploying):
    deploying.write(dockerfile=DOCKERFILE + "ENV A=1 API_KEY=hunter2\n")
    first = deploying().ok()
    assert "what changes in the image" not in first.err + first.out
    (deploying.app / "static").write_text("x")
    deploying.write(b"second", DOCKERFILE + "COPY static /srv/static\nENV A=2 API_KEY=hunter3\n")
    done = deploying("--dry-run").ok()
    lines = plan(done)
    assert lines[:-1] == ["- env A: 1", "+ env A: 2", "- env API_KEY: (hidden)", "+ env API_KEY: (hidden)",
                          "~ app", "+ srv/ (1 file)", "files: 1 added, 0 removed, 1 changed"]
    assert lines[-1].startswith("size: ") and "hunter" not in str(done)


def test_the_same_image_changes_nothing(deploying):
    deploying().ok()
    done = deploying("-e", "A=1").ok()
    assert "environment[A]" in done.err and "what changes in the image" not in done.err


def test_on_a_machine_that_has_not_the_old_image(deploying):
    """As in CI: its configuration comes from the registry, its layers stay there."""
    deploying.write(dockerfile=DOCKERFILE + "ENV A=1\n")
    deploying().ok()
    mine, deploying.slipway = deploying.slipway, deploying.slipway.other()
    deploying.write(b"second", DOCKERFILE + "ENV A=2\n")
    done = deploying("--dry-run").ok()
    lines = plan(done)
    assert lines[:2] == ["- env A: 1", "+ env A: 2"]
    assert any(line.startswith("layer sha256:") and line.endswith(") is not here") for line in lines)
    assert "files: not compared, layers are not here" in lines
    deploying.slipway = mine


def test_an_old_image_that_is_gone_is_no_reason_to_stop(deploying, cloud):
    deploying().ok()
    stored = deploying.container()
    stored["image"] = f"{HOST}/{deploying.name}@sha256:{'0' * 64}"
    done = deploying("--dry-run").ok()
    assert plan(done)[0].startswith("not known: ")


@pytest.mark.parametrize("dockerfile, words", [
    (DOCKERFILE.replace("--chmod=755 ", ""), "not executable"),
    (DOCKERFILE.replace('["/app"]', '["/application"]'), "no /application"),
    (DOCKERFILE + "USER web\n", "user web is not in the image's /etc/passwd"),
    (DOCKERFILE + "HEALTHCHECK CMD true\n", "CMD-SHELL needs /bin/sh"),
])
def test_an_image_that_would_not_start_is_not_pushed(deploying, cloud, ecr_blobs, dockerfile, words):
    deploying.write(dockerfile=dockerfile)
    mark = ecr_blobs.mark()
    deploying().fails(words, code=2)
    assert cloud.changes() == [] and deploying.pushes(mark) == []


def test_an_image_for_another_processor(deploying, cloud):
    """On Fargate the task follows the image, so it is only the file that can disagree."""
    deploying("--platform", "linux/arm64", "--dry-run").ok()
    file = deploying.app.parent / "task.json"
    file.write_text('{"family": "other", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512",\n'
                    '"runtimePlatform": {"cpuArchitecture": "X86_64"},\n"containerDefinitions": [{"name": "web", "image": "x"}]}')
    deploying("--platform", "linux/arm64", "--task-definition", file).fails("the image is for arm64 and the task would run on X86_64", f"{file}:2", code=2)
    assert cloud.changes() == []
