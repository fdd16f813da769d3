"""Headless Chromium, spoken to by the DevTools protocol over a pipe: no port, no driver, no library."""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

from helpers import processes

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--no-zygote", "--disable-gpu", "--disable-crash-reporter", "--disable-breakpad", "--no-first-run", "--no-proxy-server",
           "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
           "--hide-scrollbars", "--remote-debugging-pipe")


def program():
    """None: there is none."""
    return next((found for found in map(shutil.which, PROGRAMS) if found), None)


def _high(fd):
    """The descriptor where no other program looks for one."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10)
    os.close(fd)
    return moved


class Browser:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="slipway-browser-")
        theirs_in, ours_out = map(_high, os.pipe())
        ours_in, theirs_out = map(_high, os.pipe())

        def give_pipes():
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen([program(), *OPTIONS, f"--user-data-dir={self.folder}/profile", "about:blank"],
                                            preexec_fn=give_pipes, close_fds=False, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, "HOME": self.folder})
        processes.servers.add(self.process.pid)
        os.close(theirs_in)
        os.close(theirs_out)
        self.read_fd, self.write_fd = ours_in, ours_out
        self.buffer, self.number, self.pages = b"", 0, {}

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def receive(self, end):
        """One message, or None at the time's end."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read_fd], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            data = os.read(self.read_fd, 1 << 20)
            assert data, f"the browser ended\n{self.log()}"
            self.buffer += data
        text, _, self.buffer = self.buffer.partition(b"\0")
        message = json.loads(text)
        if "method" in message and message.get("sessionId") in self.pages:
            self.pages[message["sessionId"]].happened(message["method"], message["params"])
        return message

    def call(self, method, session=None, seconds=20, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        data, end = json.dumps(message).encode() + b"\0", time.monotonic() + seconds
        while data:
            data = data[os.write(self.write_fd, data):]
        while True:
            answer = self.receive(end)
            assert answer is not None, f"no answer to {method} within {seconds} s\n{self.log()}"
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]

    def open(self, url, width=1200, height=800, dark=False, setup=None):
        """A page with cookies and storage of its own. setup: a script that runs before the page's own."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session, context)
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        if setup:
            page.call("Page.addScriptToEvaluateOnNewDocument", source=setup)
        page.call("Page.navigate", url=url)
        page.until("document.readyState === 'complete' && location.href !== 'about:blank'")
        return page

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        processes.servers.discard(self.process.pid)
        os.close(self.read_fd)
        os.close(self.write_fd)
        # Its helpers end after it, and write until then.
        processes.wait_until(lambda: not processes.running(self.folder))
        shutil.rmtree(self.folder)


class Page:
    """page.problems: what the console complained of; page.requests: every address that was asked for."""

    def __init__(self, browser, session, context):
        self.browser, self.session, self.context = browser, session, context
        self.problems, self.requests = [], []

    def happened(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.problems.append(params["exceptionDetails"].get("exception", {}).get("description") or params["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(str(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def eval(self, script):
        """The value of an expression; promises are waited for."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True,
                           allowUnsafeEvalBlockedByCSP=False)
        assert "exceptionDetails" not in result, f"{script}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def until(self, script, seconds=60):
        """Waits for a true value and gives it."""
        end = time.monotonic() + seconds
        while True:
            value = self.eval(script)
            if value:
                return value
            assert time.monotonic() < end, f"not within {seconds} s: {script}\n{self.problems}\n{self.text()}"
            time.sleep(0.05)

    def text(self):
        """What a reader sees."""
        return self.eval("document.body ? document.body.innerText : ''")

    def shows(self, text, seconds=60):
        self.until(f"document.body.innerText.includes({json.dumps(text)})", seconds)

    def press(self, key, code=0, **params):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                      **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}), **params)

    def resize(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def screenshot(self, file):
        with open(file, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def close(self):
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)
        del self.browser.pages[self.session]
