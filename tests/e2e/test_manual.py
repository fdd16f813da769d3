"""The manual page says what the program says of itself."""
import pathlib
import re

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs/slipway.1").read_text().replace("\\-", "-")


def listed(text):
    return re.findall(r"^  ([a-z-]+) ", text.split("Commands:")[1].split("Global")[0], re.M)


def commands(slipway):
    """Each command's words and its help; of those that have commands of their own, these."""
    for name in listed(slipway("--help").ok().out):
        text = slipway(name, "--help").ok().out
        if "\nCommands:\n" not in text:
            yield name, text
            continue
        for word in listed(text):
            yield f"{name} {word}", slipway(name, word, "--help").ok().out


def section_of(name):
    section = PAGE.split(f".SS slipway {name}", 1)
    while len(section) == 2 and section[1][0] not in " \n":
        section = section[1].split(f".SS slipway {name}", 1)
    assert len(section) == 2, f"no section for {name}"
    return re.split(r"^\.S[SH] ", section[1], maxsplit=1, flags=re.M)[0]


def test_every_command_and_option_is_in_the_manual(slipway):
    found = list(commands(slipway))
    assert len(found) > 25 and "task-definition render" in dict(found)
    for name, text in found:
        section = section_of(name)
        for option in re.findall(r"(--[a-z-]+)", "".join(re.findall(r"^ .*$", text, re.M))):
            if re.search(rf"^ +(-\w, )?{option}\b", text, re.M):
                assert option in section, f"{name} {option}"


def test_the_manual_has_no_option_that_the_program_lacks(slipway):
    for name, text in commands(slipway):
        for option in re.findall(r"^\\fB(?:-\w, )?(--[a-z-]+)", section_of(name), re.M):
            assert option in text, f"{name} {option}"
