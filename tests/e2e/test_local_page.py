"""The status page of the local target in headless Chromium: what it shows, that it stays live, and that nothing in it is markup."""
import json
import os
import re
import shutil
import signal
import urllib.error
import urllib.request

import pytest

from helpers import browser as browsers
from helpers import processes
from helpers.local_target import LocalTarget
from helpers.runner import Slipway
from helpers.shown import Shown, service, status, stopped, task

EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>"\'&amp;</textarea>'

# Every text that is drawn, with its contrast to what is behind it (WCAG 2.1, 1.4.3), where that is less than wanted.
CONTRAST = """(() => {
	const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
	const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const behind = (node) => {
		for (; node; node = node.parentElement) {
			const c = parse(getComputedStyle(node).backgroundColor);
			if (c.length === 3 || c[3] === 1)
				return c;
		}
		return [255, 255, 255];
	};
	const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	let seen = 0;
	while (walk.nextNode()) {
		const node = walk.currentNode.parentElement, box = node.getBoundingClientRect();
		if (!walk.currentNode.data.trim() || !box.width || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(node.tagName))
			continue;
		const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
		seen++;
		if ((a + .05) / (b + .05) < 4.5)
			found.push(`${node.tagName} ${walk.currentNode.data}: ${((a + .05) / (b + .05)).toFixed(2)}`);
	}
	return seen > 20 ? found : [`only ${seen} texts`];
})()"""


@pytest.fixture(scope="module")
def browser():
    if not browsers.program():
        pytest.skip("needs: chromium-headless-shell")
    running = browsers.Browser()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def page_of(binary, session_folder):
    """A target of this file's own, for its page."""
    run = Slipway(binary, session_folder / "page")
    target = LocalTarget(run)
    processes.servers.add(target.process.pid)
    yield target
    processes.servers.discard(target.process.pid)
    assert target.stop() == 0
    shutil.rmtree(run.folder, ignore_errors=True)


@pytest.fixture
def shown(page_of):
    made = Shown(page_of.url)
    yield made
    made.stop()


@pytest.fixture
def open_page(browser):
    """open_page(url, ...) as Browser.open(): at the end it has complained of nothing and asked nobody else."""
    pages = []

    def open_one(url, **options):
        page = browser.open(url, **options)
        pages.append((page, url))
        return page

    yield open_one
    for page, url in pages:
        assert not page.problems
        assert all(r.startswith(url.partition("#")[0]) or r.startswith("data:") for r in page.requests), page.requests
        page.close()


def full(shown):
    shown.status = status(
        [service(), service("api", 1, 3, pendingCount=1, scaling={"MinCapacity": 1, "MaxCapacity": 4}, deployments=[
            {"id": "2", "rolloutState": "IN_PROGRESS", "desiredCount": 3, "runningCount": 1, "failedTasks": 2, "definition": "api:2"},
            {"id": "1", "rolloutState": "FAILED", "rolloutStateReason": "tasks failed to start.", "desiredCount": 0, "runningCount": 0,
             "failedTasks": 3, "definition": "api:1"}])],
        [task(2, healthStatus="HEALTHY"), task(3, "PENDING", healthStatus="UNHEALTHY", notes=["memory limit not enforced"]),
         stopped(5, code=137), stopped(6, code=0)], notes=["memory limits are not enforced here"])
    shown.images = {"repositories": [{"name": "web", "leftOut": 0, "images": [
        {"digest": "sha256:" + "cd" * 32, "tags": ["latest", "v1"], "size": 45678901, "pushedAt": 1000},
        {"digest": "sha256:" + "ce" * 32, "tags": [], "size": 999, "pushedAt": 1001}]}]}


def test_empty_tells_the_first_command(page_of, open_page):
    page = open_page(page_of.page)
    page.shows("slipway deploy --local .")
    assert page.eval("document.title") == "slipway local"
    assert "Services" not in page.text() and "us-east-1" in page.text()


def ask(target, path, **headers):
    """The status of an answer."""
    request = urllib.request.Request(target.url + path, headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_other_users_are_refused(page_of):
    """Whoever has not the key, which lies in a file of the target's owner alone, reads nothing of it."""
    key = page_of.page.partition("#key=")[2]
    assert len(key) == 32
    for path in ("/status.json", "/status/images.json", "/status/logs?group=g&stream=s"):
        assert ask(page_of, path) == 403
        assert ask(page_of, path, **{"X-Slipway-Key": key[:-1] + ("0" if key[-1] != "0" else "1")}) == 403
        assert ask(page_of, path, **{"X-Slipway-Key": ""}) == 403
        assert ask(page_of, f"{path}{'&' if '?' in path else '?'}key={key}") == 403, "not where logs and histories keep it"
        assert ask(page_of, path, **{"X-Slipway-Key": key}) == 200
        assert ask(page_of, path, **{"X-Slipway-Key": key, "Host": f"rebound.example:{page_of.port}"}) == 403


def test_the_key_is_asked_for_once(page_of, open_page):
    page = open_page(page_of.url + "/")
    page.shows("slipway local status")
    page.until("document.querySelector('#live').textContent === 'locked'")
    assert "us-east-1" not in page.text()
    page.problems.clear()  # the browser's own line for 403
    # Typed into the same tab, it changes what stands behind the mark alone.
    page.eval(f"location.hash = {json.dumps(page_of.page.partition('#')[2])}")
    page.shows("us-east-1")
    assert page.eval("document.querySelector('#locked').hidden && location.href") == page_of.url + "/"
    assert page.eval("document.cookie") == ""
    page.call("Page.navigate", url="about:blank")
    page.call("Page.navigate", url=page_of.url + "/")
    page.until("document.body && document.body.innerText.includes('us-east-1')")


def test_what_runs(shown, open_page):
    full(shown)
    page = open_page(shown.url)
    page.shows("v1")
    text = re.sub(r"\s+", " ", page.text())
    for words in ("Services (2)", "2 of 2 running", "1 of 3 running", "in progress", "api:2: 1 of 3 running, 2 failed", "tasks failed to start.",
                  "scales 1 to 4", " s ago: (service web) has reached a steady state.", "Tasks (2)", "web:1 @ abababababab", "healthy", "unhealthy",
                  "memory limit not enforced", "Stopped tasks (2)", "Essential container in task exited", "137",
                  "Images (2)", "cdcdcdcdcdcd", "46 MB", "999 B", "untagged", "Clusters (1)", "default: 2 services, 2 tasks, 2 stopped"):
        assert words in text, f"{words}\n{text}"
    assert re.search(r"\b5\d s\b", text) and re.search(r"\b3\d s ago", text), text
    assert page.eval("document.title") == "1 running · slipway local"
    assert page.eval("[...document.querySelectorAll('#services a')].map((a) => a.href)") == ["http://127.65.0.1:3000/"] * 2
    assert page.eval("document.querySelector('#tasks a').href") == "http://127.64.0.2:3000/"


def test_foreign_text_is_text(shown, open_page):
    evil = task(2, definition=EVIL, service=EVIL, address="x/'><script>", notes=[EVIL], healthStatus=EVIL)
    evil["containers"] = [{"name": EVIL, "image": EVIL, "lastStatus": EVIL, "reason": EVIL, "log": {"group": EVIL, "stream": EVIL}}]
    gone = stopped(3, EVIL)
    shown.status = status([service(EVIL, 1, 2, status=EVIL, definition=EVIL, events=[{"id": "1", "createdAt": 1, "message": EVIL}], deployments=[
        {"id": EVIL, "rolloutState": EVIL, "rolloutStateReason": EVIL, "definition": EVIL, "desiredCount": EVIL, "runningCount": 1}])],
        [evil, gone], notes=[EVIL])
    shown.images = {"repositories": [{"name": EVIL, "leftOut": 0, "images": [{"digest": EVIL, "tags": [EVIL], "size": 1, "pushedAt": 1}]}]}
    shown.logs = [EVIL, "\x1b[31mred\x1b[0m \x1b]0;title\x07 javascript:alert(1)"]
    page = open_page(shown.url)
    page.shows("Images (1)")
    page.eval("document.querySelector('#tasks button').click()")
    page.until("document.querySelectorAll('#log-lines div').length === 2")
    assert page.text().count("<img src=x onerror=") > 10
    assert page.eval("document.images.length") == 0 and page.eval("document.scripts.length") == 1
    assert page.eval("[...document.querySelectorAll('*')].filter((n) => [...n.attributes].some((a) => a.name.startsWith('on'))).length") == 0
    assert page.eval("document.querySelector('#log-lines').lastChild.textContent").endswith("red ]0;title javascript:alert(1)")
    assert page.eval("[...document.links].every((a) => a.protocol === 'http:' || a.classList.contains('skip'))")
    assert "running" in page.eval("document.title")


def test_policy_lets_nothing_else_run(shown, open_page):
    page = open_page(shown.url)
    page.until("document.querySelector('#live').textContent === 'live'")
    tried = page.eval("""(async () => {
        const out = [], attempt = (name, f) => { try { f(); out.push(name); } catch { } };
        attempt("html", () => { document.body.innerHTML += "<b>x</b>"; });
        attempt("eval", () => { eval("1"); });
        attempt("function", () => { new Function("1"); });
        const s = document.createElement("script");
        attempt("script", () => { s.text = "window.ran = 1"; document.body.append(s); });
        const style = document.createElement("style");
        style.textContent = "h1 { letter-spacing: 99px }";
        document.head.append(style);
        if (getComputedStyle(document.querySelector("h1")).letterSpacing === "99px") out.push("style");
        try { await fetch("http://127.0.0.2:1/", {mode: "no-cors"}); out.push("fetch"); } catch { }
        return [...out, window.ran || 0];
    })()""")
    assert tried == [0]
    assert any("Content Security Policy" in p for p in page.problems), "the browser says which policy forbade it"
    page.problems.clear()


def test_other_places_cannot_read_it(page_of, shown, open_page):
    page = open_page(shown.url)
    got = page.eval(f"""fetch({json.dumps(page_of.url)} + "/status.json", {{mode: "no-cors"}}).then((r) => r.type, (e) => "refused")""")
    assert got == "refused"
    page.problems.clear()
    page.requests.clear()


def test_stays_live_without_flicker(shown, open_page):
    shown.status = status([service()], [task(2), task(3)])
    page = open_page(shown.url)
    page.shows("Tasks (2)")
    page.eval("""window.kept = document.querySelector('#tasks tbody tr'); window.card = document.querySelector('article');
        window.seen = 0; new MutationObserver((m) => { window.seen += m.filter((x) => x.type === "childList").length; })
            .observe(document.body, {childList: true, subtree: true});
        document.querySelector('#tasks button').focus(); getSelection().selectAllChildren(document.querySelector('article h3'))""")
    page.until("performance.getEntriesByType('resource').length >= 5")
    assert shown.asked["/status.json", 304] >= 2 and shown.asked["/status.json", 200] == 1
    assert page.eval("[...document.querySelectorAll('time')].length > 0") and page.eval("document.activeElement.tagName") == "BUTTON"
    shown.status = status([service("web", 1)], [task(2), stopped(3, "Task failed container health checks", 143)])
    page.shows("Stopped tasks (1)")
    page.shows("Task failed container health checks")
    assert page.eval("window.kept.isConnected && window.card.isConnected && document.activeElement.tagName === 'BUTTON'")
    assert page.eval("getSelection().toString()") == "web"
    assert "stopped: Task failed container health checks" in page.eval("document.querySelector('#said').textContent")
    assert page.eval("document.title").startswith("1 running")


def test_says_when_nobody_answers(shown, open_page):
    shown.status = status([service()], [task(2)])
    page = open_page(shown.url)
    page.shows("Tasks (1)")
    shown.failing = True
    page.until("document.querySelector('#live').dataset.tone === 'bad'")
    shown.failing = False
    page.until("document.querySelector('#live').textContent === 'live'")
    assert "Tasks (1)" in page.text()
    page.problems.clear()  # the browser's own line for each 500


def test_log_grows_and_pauses(shown, open_page):
    shown.status = status([], [task(2)])
    shown.logs = [f"line {i}" for i in range(100)]
    page = open_page(shown.url)
    page.shows("Tasks (1)")
    page.eval("document.querySelector('#tasks button').focus()")
    page.press("Enter", 13)
    page.shows("line 99")
    at_end = "(() => { const l = document.querySelector('#log-lines'); return l.scrollHeight - l.scrollTop - l.clientHeight < 2; })()"
    assert page.eval(at_end) and page.eval("document.activeElement.id") == "log-title"
    shown.logs.append("line hundred")
    page.shows("line hundred")
    assert page.eval(at_end)
    # Who scrolled up reads on in peace.
    page.eval("document.querySelector('#log-lines').scrollTop = 40")
    page.until("!document.querySelector('#log-end').hidden")
    shown.logs.append("line behind")
    page.until("document.querySelector('#log-lines').lastChild.textContent.endsWith('line behind')")
    assert page.eval("document.querySelector('#log-lines').scrollTop") == 40
    page.eval("document.querySelector('#log-end').click()")
    page.until(at_end)
    page.eval("document.querySelector('#log-pause').click()")
    before = shown.asked["/status/logs", 200]
    shown.logs.append("line later")
    page.until(f"performance.now() > {page.eval('performance.now()')} + 1500")
    assert shown.asked["/status/logs", 200] <= before + 1 and "line later" not in page.text()
    page.eval("document.querySelector('#log-pause').click()")
    page.shows("line later")
    lines = page.eval("[...document.querySelectorAll('#log-lines div')].map((d) => d.lastChild.data)")
    assert lines == shown.logs, "each line once, in order"
    page.press("Escape", 27)
    assert page.eval("document.querySelector('#log').hidden && document.activeElement.textContent === 'Log'")


def test_a_link_opens_the_log(shown, open_page):
    shown.status = status([], [task(2)])
    shown.logs = ["hello"]
    page = open_page(f"{shown.url}#log/{2:08x}{0:024x}%2Fapp")
    page.shows("hello")
    page.requests.clear()


@pytest.mark.parametrize("dark", [False, True])
def test_reads_well_in_light_and_dark(shown, open_page, dark):
    full(shown)
    shown.logs = ["a line"]
    page = open_page(shown.url, dark=dark)
    page.shows("v1")
    page.eval("document.querySelector('#tasks button').click()")
    page.shows("a line")
    ground = [int(n) for n in re.findall(r"\d+", page.eval("getComputedStyle(document.body).backgroundColor"))]
    assert (max(ground) < 64) == dark and (min(ground) > 192) != dark
    assert page.eval(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 375, 768])
def test_fits_a_phone(shown, open_page, width):
    full(shown)
    long = "a-very-long-name-that-nobody-ever-breaks-" * 5
    shown.status["clusters"][0]["services"][0]["serviceName"] = long
    shown.status["clusters"][0]["tasks"][0].update(definition=long, service=long, stoppedReason=long, desiredStatus="STOPPED")
    shown.logs = [long, "x" * 500]
    page = open_page(shown.url, width=width, height=640)
    page.shows("v1")
    page.eval("document.querySelector('#tasks button').click()")
    page.until("document.querySelectorAll('#log-lines div').length === 2")
    assert page.eval("document.documentElement.scrollWidth") == width
    wide = page.eval("""[...document.querySelectorAll('body *')].filter((n) => n.getBoundingClientRect().right > innerWidth + 1 &&
        !n.closest('.unseen, thead, .skip')).map((n) => n.outerHTML.slice(0, 80))""")
    assert wide == []
    if width < 700:
        small = page.eval("""[...document.querySelectorAll('button, summary, article a, td a')].map((n) => [n.textContent, n.getBoundingClientRect()])
            .filter(([, b]) => b.height && b.height < 44).map(([t]) => t)""")
        assert small == [], "a finger hits what is 44 pixels high"


def test_is_made_of_landmarks_and_headings(shown, open_page):
    full(shown)
    page = open_page(shown.url)
    page.shows("v1")
    assert page.eval("[document.documentElement.lang, document.querySelectorAll('main').length, document.querySelectorAll('h1').length]") == ["en", 1, 1]
    assert page.eval("""[...document.querySelectorAll('section, aside, table')].filter((n) =>
        !document.getElementById(n.getAttribute('aria-labelledby'))).length""") == 0
    assert page.eval("""[...document.querySelectorAll('table')].every((t) => [...t.tHead.rows[0].cells].every((c) =>
        c.tagName === 'TH' && c.scope === 'col'))""")
    names = page.eval("[...document.querySelectorAll('td button')].map((b) => b.getAttribute('aria-label'))")
    assert len(set(names)) == len(names) == 4 and all(n.startswith("Log of app of task ") for n in names)
    assert page.eval("document.querySelector('#said').getAttribute('aria-live')") == "polite"


APP = """
    FROM tiny
    CMD ["sh", "-c", "i=0; while :; do echo tick $((i += 1)); sleep 0.2; done"]
    """


def test_shows_a_service_that_heals(local, build, open_page):
    """The real thing: deployed while the page is open, its log growing; a process that is killed is seen stopped and replaced."""
    page = open_page(local.page)
    page.shows("Nothing runs here yet")
    build(APP)
    local.run("deploy", "--local", "--service=ticks", "--desired-count=2", f"t{build.n_built}:latest").ok()
    page.shows("2 of 2 running")
    page.shows("Tasks (2)")
    page.shows("Images (1)")
    page.eval("document.querySelector('#tasks button').click()")
    page.until("document.querySelectorAll('#log-lines div').length > 5")
    texts = page.eval("[...document.querySelectorAll('#log-lines div')].map((d) => d.lastChild.data)")
    assert texts == [f"tick {i + 1}" for i in range(len(texts))]
    shells = processes.programs(local.process.pid, b"sh\0-c\0i=0")
    assert len(shells) == 2
    os.kill(shells[0], signal.SIGKILL)
    page.shows("Stopped tasks (1)")
    page.shows("Essential container in task exited")
    page.until("document.querySelector('#stopped tbody td:nth-child(4)').textContent === '137'")
    page.until("document.querySelectorAll('#tasks tbody tr').length === 2 && document.querySelector('#services').innerText.includes('2 of 2')", 30)
