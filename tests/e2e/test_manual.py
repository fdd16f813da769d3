"""The manual page says what the program says of itself."""
import pathlib
import re

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs/slipway.1").read_text().replace("\\-", "-")


def commands(slipway):
    text = slipway("--help").ok().out
    return re.findall(r"^  ([a-z]+) ", text.split("Commands:")[1].split("Global")[0], re.M)


def test_every_command_and_option_is_in_the_manual(slipway):
    names = commands(slipway)
    assert len(names) > 15
    for name in names:
        text = slipway(name, "--help").ok().out
        section = PAGE.split(f".SS slipway {name} ", 1)
        assert len(section) == 2, f"no section for {name}"
        section = re.split(r"^\.S[SH] ", section[1], maxsplit=1, flags=re.M)[0]
        for option in re.findall(r"(--[a-z-]+)", "".join(re.findall(r"^ .*$", text, re.M))):
            if re.search(rf"^ +(-\w, )?{option}\b", text, re.M):
                assert option in section, f"{name} {option}"


def test_the_manual_has_no_option_that_the_program_lacks(slipway):
    for name in commands(slipway):
        text = slipway(name, "--help").ok().out
        section = re.split(r"^\.S[SH] ", PAGE.split(f".SS slipway {name} ", 1)[1], maxsplit=1, flags=re.M)[0]
        for option in re.findall(r"^\\fB(?:-\w, )?(--[a-z-]+)", section, re.M):
            assert option in text, f"{name} {option}"
