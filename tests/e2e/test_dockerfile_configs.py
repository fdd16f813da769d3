"""What the instructions leave in the config, and which are refused, as docker's BuildKit has it: its answers are kept in
tests/fixtures/docker_configs.json, made by the script of that name."""
import json

from docker_configs import ENVIRONMENT, TABLE, said, whole
from helpers.images import read_layout


def test_configs_are_docker_s(slipway, context):
    top = context({"a": "a"})
    wrong = []
    for case in json.loads(TABLE.read_text()):
        (top / "Dockerfile").write_text(whole(case["text"]))
        result = slipway.build(top, "-t", "x", "--progress", "quiet", *case.get("options", []), env=ENVIRONMENT)
        got = None
        if result.code == 0:
            document = read_layout(slipway.root, "x:latest").config
            got = said(document["config"], document.get("author"))
        else:
            result.fails("slipway: ")
        if got != case["config"]:
            wrong.append(f"{case}\nslipway: {got} {result.err}")
    assert not wrong, "\n".join(wrong)
