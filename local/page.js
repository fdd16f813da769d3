"use strict";
/*
 * Shows what /status.json and /status/images.json tell, and the tail of a log. Texts from there are foreign: they become text nodes, never
 * markup. Elements are kept by key and changed only where the text is another, so that nothing flickers and selection, scroll and focus stay.
 */
(() => {
	const LOOK_MS = 1000, RETRY_MS = 2000, LOCKED_MS = 60000, LOG_MS = 700, LOG_LINES = 3000;
	const $ = (id) => document.getElementById(id);

	/* ---- elements ---- */

	function make(tag, attributes = {}, ...children) {
		const node = document.createElement(tag);
		for (const [name, value] of Object.entries(attributes))
			node.setAttribute(name, value);
		node.append(...children);
		return node;
	}

	function setText(node, text) {
		if (node.textContent !== text)
			node.textContent = text;
	}

	function setAttribute(node, name, value) {
		if (value === null)
			node.removeAttribute(name);
		else if (node.getAttribute(name) !== value)
			node.setAttribute(name, value);
	}

	/* The children of parent become one an item, in its order. */
	function reconcile(parent, items, keyOf, create, update) {
		const wanted = new Set(items.map(keyOf)), old = new Map();
		for (const child of [...parent.children]) {
			if (wanted.has(child.dataset.key))
				old.set(child.dataset.key, child);
			else
				child.remove();
		}
		let next = parent.firstElementChild;
		for (const item of items) {
			const key = keyOf(item);
			let node = old.get(key);
			if (!node) {
				node = create(item);
				node.dataset.key = key;
			}
			if (node === next)
				next = next.nextElementSibling;
			else
				parent.insertBefore(node, next);
			update(node, item);
		}
	}

	/* Small lists of texts, badges, links: told apart by what they say. */
	function fill(parent, pieces) {
		const shown = pieces.filter((p) => p).map((p, i) => ({...p, key: `${i} ${JSON.stringify(p)}`}));
		reconcile(parent, shown, (p) => p.key, (p) => {
			if (p.at)
				return make("span", {}, p.before || "", make("time", {"data-at": String(p.at)}));
			if (p.href)
				return make("a", {href: p.href, target: "_blank", rel: "noopener noreferrer"}, p.text);
			return make(p.tag || "span", p.tone ? {"data-tone": p.tone} : {class: p.kind || "", ...(p.hint ? {title: p.hint} : {})}, p.text);
		}, () => {});
	}

	/* ---- words ---- */

	const GOOD = ["RUNNING", "COMPLETED", "HEALTHY", "SUCCESSFUL"], BAD = ["FAILED", "UNHEALTHY", "ROLLBACK_FAILED"],
		STILL = ["STOPPED", "ACTIVE", "INACTIVE", "UNKNOWN"];

	function badge(word) {
		const tone = GOOD.includes(word) ? "good" : BAD.includes(word) ? "bad" : STILL.includes(word) ? "still" : "busy";
		return word ? {text: word.toLowerCase().replaceAll("_", " "), tone} : null;
	}

	function ago(seconds) {
		const s = Math.max(0, Math.round(seconds));
		if (s < 60)
			return `${s} s`;
		if (s < 3600)
			return `${Math.floor(s / 60)} min`;
		return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`;
	}

	function size(bytes) {
		const units = ["B", "kB", "MB", "GB", "TB"];
		let n = bytes, unit = 0;
		for (; n >= 1000 && unit < units.length - 1; unit++)
			n /= 1000;
		return `${n < 10 && unit ? n.toFixed(1) : Math.round(n)} ${units[unit]}`;
	}

	const count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
	const shortDigest = (digest) => (digest || "").replace(/^sha256:([0-9a-f]{12}).*/, "$1");
	/* Without the registry, and the digest as short as people compare it. */
	const imageName = (c) => {
		const name = (c.image || "").replace(/@sha256:.*/, "").replace(/^[^/]*[.:][^/]*\//, "");
		return c.imageDigest ? `${name} @ ${shortDigest(c.imageDigest)}` : name;
	};
	const links = (o) => /^[0-9.]+$/.test(o.address) ? (o.ports || []).map((p) => {
		const place = `${o.address}:${p.hostPort || p.containerPort}`;
		return {href: `http://${place}/`, text: place};
	}) : [];

	let clock = 0; /* what the target's clock is ahead of ours, in ms */

	function tick() {
		for (const node of document.querySelectorAll("time[data-at]")) {
			const at = Number(node.dataset.at) * 1000;
			setText(node, ago((Date.now() + clock - at) / 1000));
			if (!node.title)
				node.title = new Date(at).toLocaleString();
		}
	}

	/* ---- tables ---- */

	/* columns: [title, pieces of a row's item] */
	function table(node, columns, items, keyOf, onRow = () => {}) {
		if (!node.tHead) {
			const titles = columns.map(([title]) => make("th", {scope: "col", role: "columnheader"}, title));
			node.append(make("thead", {role: "rowgroup"}, make("tr", {role: "row"}, ...titles)), make("tbody", {role: "rowgroup"}));
		}
		reconcile(node.tBodies[0], items, keyOf, () => make("tr", {role: "row"}, ...columns.map(([title]) =>
			make("td", {role: "cell", "data-title": title}, make("div")))), (row, item) => {
			columns.forEach(([, pieces], i) => {
				const cell = row.cells[i].firstElementChild;
				if (pieces)
					fill(cell, pieces(item));
				row.cells[i].className = cell.firstChild ? "" : "none";
			});
			onRow(row, item);
		});
	}

	function section(name, n, node = $(`${name}-part`)) {
		const title = $(`${name}-title`);
		node.hidden = !n;
		if (!title.dataset.word) {
			title.dataset.word = title.textContent;
			title.textContent = "";
		}
		fill(title, [{text: `${title.dataset.word} `}, {text: `(${n})`, kind: "count"}]);
	}

	/* ---- tasks ---- */

	const logKey = (task, container) => `${task.id}/${container.name}`;
	const partKey = (key) => [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
	const logTitle = (task, container) => `${task.service || task.definition} · ${container.name} · ${task.id.slice(0, 8)}`;

	function logButtons(row, task) {
		const cell = row.lastElementChild.firstElementChild, logged = task.containers.filter((c) => c.log);
		reconcile(cell, logged, (c) => c.name, (c) => {
			const button = make("button", {type: "button"});
			button.addEventListener("click", () => openLog(logKey(task, c), button));
			return button;
		}, (button, c) => {
			setText(button, logged.length > 1 ? `Log of ${c.name}` : "Log");
			setAttribute(button, "aria-label", `Log of ${c.name} of task ${task.id.slice(0, 8)}`);
		});
		row.lastElementChild.className = logged.length ? "" : "none";
		markRow(row);
	}

	const what = (t) => [{text: t.id.slice(0, 8), kind: "mono", tag: "code", hint: t.id}, {text: ` ${t.definition || ""}`, kind: "quiet"},
		...t.containers.map((c) => ({text: `${t.containers.length > 1 ? `${c.name}: ` : ""}${imageName(c)}`, hint: c.image, kind: "quiet", tag: "div"}))];
	const owner = (t) => [{text: t.service || t.group || ""}, {text: ` in ${t.cluster}`, kind: "quiet"}];
	const state = (t) => [badge(t.lastStatus), t.healthStatus === "UNKNOWN" ? null : badge(t.healthStatus),
		t.desiredStatus === "STOPPED" && t.stoppedReason ? {text: t.stoppedReason, kind: "quiet", tag: "div"} : null,
		...(t.containers.length > 1 || t.containers.some((c) => c.lastStatus === "STOPPED" || c.reason) ? t.containers.map((c) => ({
			text: `${c.name}: ${(c.lastStatus || "").toLowerCase()}${c.exitCode === undefined ? "" : `, exit code ${c.exitCode}`}${
				c.reason ? `, ${c.reason}` : ""}`, kind: "quiet", tag: "div"})) : []),
		...(t.notes || []).map((n) => ({text: n, kind: "quiet", tag: "div"}))];
	const why = (t) => [{text: t.stoppedReason || t.stopCode || ""},
		...t.containers.filter((c) => c.reason).map((c) => ({text: `${c.name}: ${c.reason}`, kind: "quiet", tag: "div"}))];
	const exits = (t) => t.containers.filter((c) => c.exitCode !== undefined).map((c) => ({
		text: t.containers.length > 1 ? `${c.name}: ${c.exitCode} ` : String(c.exitCode), tone: c.exitCode ? "bad" : "still"}));
	const place = (t) => [...links(t), t.address && !(t.ports || []).length ? {text: t.address} : null];

	function showTasks(tasks, leftOut) {
		const stopped = tasks.filter((t) => t.lastStatus === "STOPPED"), running = tasks.filter((t) => t.lastStatus !== "STOPPED");
		table($("tasks"), [["Task", what], ["Service", owner], ["State", state], ["Address", place],
			["Age", (t) => [{at: t.startedAt || t.createdAt}]], ["Log", null]], running, (t) => t.id, logButtons);
		table($("stopped"), [["Task", what], ["Service", owner], ["Why", why], ["Exit code", exits],
			["Stopped", (t) => [t.stoppedAt ? {at: t.stoppedAt} : null, {text: " ago"}]], ["Log", null]], stopped, (t) => t.id, logButtons);
		section("tasks", running.length);
		section("stopped", stopped.length);
		setText($("left-out"), leftOut ? `${count(leftOut, "more task")}: slipway ps --local --all` : "");
	}

	/* ---- services ---- */

	function makeService() {
		const parts = {name: make("h3"), state: make("div"), facts: make("p", {class: "quiet"}), links: make("p", {class: "addresses"}),
			deployments: make("ul"), newest: make("summary"), events: make("ol")};
		parts.more = make("details", {}, parts.newest, parts.events);
		const node = make("article", {}, make("div", {class: "head"}, parts.name, parts.state), parts.facts, parts.links, parts.deployments, parts.more);
		node.parts = parts;
		return node;
	}

	const events = (list) => list.map((e) => ({e, pieces: [{at: e.createdAt, before: ""}, {text: " ago: "}, {text: e.message || ""}]}));

	function updateService(node, s) {
		const p = node.parts, done = s.runningCount === s.desiredCount;
		const rollouts = s.deployments.filter((d) => s.deployments.length > 1 || (d.rolloutState && d.rolloutState !== "COMPLETED"));
		const [newest, ...older] = events(s.events);
		setText(p.name, s.serviceName);
		fill(p.state, [{text: `${s.runningCount} of ${s.desiredCount} running`, tone: done ? (s.desiredCount ? "good" : "still") : "busy"},
			s.pendingCount ? {text: `${s.pendingCount} pending`, tone: "busy"} : null, s.status !== "ACTIVE" ? badge(s.status) : null]);
		setText(p.facts, `${s.definition || ""} in ${s.cluster}${s.scaling ? `, scales ${s.scaling.MinCapacity} to ${s.scaling.MaxCapacity}` : ""}`);
		fill(p.links, links(s));
		p.links.hidden = !p.links.firstChild;
		reconcile(p.deployments, rollouts, (d) => d.id, () => make("li"), (item, d) => fill(item, [
			badge(d.rolloutState || d.status), {text: ` ${d.definition || ""}: ${d.runningCount} of ${d.desiredCount} running${
				d.failedTasks ? `, ${d.failedTasks} failed` : ""}`},
			d.rolloutStateReason ? {text: d.rolloutStateReason, kind: "quiet", tag: "div"} : null]));
		p.more.hidden = !newest;
		fill(p.newest, newest ? newest.pieces : []);
		reconcile(p.events, older, (o) => o.e.id || `${o.e.createdAt} ${o.e.message}`, () => make("li"), (item, o) => fill(item, o.pieces));
	}

	/* ---- what changed, for those who listen ---- */

	let told = null;

	function tell(services, tasks) {
		const now = new Map(), said = [];
		for (const s of services)
			now.set(`${s.cluster}/${s.serviceName}`, `${s.serviceName}: ${s.runningCount} of ${s.desiredCount} running`);
		for (const t of tasks.filter((x) => x.lastStatus === "STOPPED" || x.lastStatus === "RUNNING"))
			now.set(t.id, t.lastStatus === "RUNNING" ? `task ${t.id.slice(0, 4)} runs` :
				`task ${t.id.slice(0, 4)} of ${t.service || t.definition} stopped: ${t.stoppedReason || ""}`);
		for (const [key, text] of told ? now : [])
			if (told.get(key) !== text)
				said.push(text);
		told = now;
		if (said.length)
			setText($("said"), said.slice(0, 5).join(". "));
	}

	/* ---- the whole ---- */

	let tasksById = new Map();

	function show(status) {
		const within = (list) => status.clusters.flatMap((c) => c[list].map((x) => ({...x, cluster: c.name})));
		const services = within("services"), tasks = within("tasks");
		const running = tasks.filter((t) => t.lastStatus === "RUNNING").length;
		const leftOut = status.clusters.reduce((n, c) => n + c.tasksLeftOut, 0);

		clock = status.target.now * 1000 - Date.now();
		tasksById = new Map(tasks.map((t) => [t.id, t]));
		setText($("where"), `${status.target.region} · account ${status.target.account} · ${location.host}`);
		document.title = services.length || tasks.length ? `${running} running · slipway local` : "slipway local";
		$("empty").hidden = services.length > 0 || tasks.length > 0;
		fill($("notes"), (status.notes || []).map((text) => ({text, tag: "p", kind: "note"})));
		section("services", services.length);
		reconcile($("services"), services, (s) => `${s.cluster}/${s.serviceName}`, makeService, updateService);
		showTasks(tasks, leftOut);
		section("clusters", status.clusters.length);
		reconcile($("clusters"), status.clusters, (c) => c.name, () => make("li"), (item, c) => setText(item,
			`${c.name}: ${count(c.services.length, "service")}, ${count(c.tasks.length + c.tasksLeftOut - c.stopped, "task")}, ${c.stopped} stopped`));
		tell(services, tasks);
		tick();
		if (log.wanted)
			openLog(log.wanted);
		nameLog();
	}

	function showImages(answer) {
		const images = answer.repositories.flatMap((r) => r.images.map((i) => ({...i, repository: r.name})));
		const left = answer.repositories.reduce((n, r) => n + r.leftOut, 0);
		table($("images"), [["Repository", (i) => [{text: i.repository}]],
			["Tags", (i) => i.tags.length ? i.tags.map((t) => ({text: `${t} `, kind: "mono"})) : [{text: "untagged", kind: "quiet"}]],
			["Digest", (i) => [{text: shortDigest(i.digest), tag: "code", hint: i.digest}]],
			["Size", (i) => [{text: size(i.size)}]], ["Pushed", (i) => [{at: i.pushedAt}, {text: " ago"}]]],
			images, (i) => `${i.repository}@${i.digest}`);
		section("images", images.length + left);
		tick();
	}

	/* ---- the key ---- */

	const KEY = "slipway-key";
	let pageKey = "";

	/* From the address, which shows it no longer than that; else as it was kept. */
	function takeKey() {
		const given = /^#key=([0-9a-f]+)$/.exec(location.hash);
		if (given) {
			pageKey = given[1];
			history.replaceState(null, "", location.pathname);
		}
		try {
			if (given)
				localStorage.setItem(KEY, pageKey);
			else
				pageKey = pageKey || localStorage.getItem(KEY) || "";
		} catch {
			/* A browser that keeps nothing asks for the address each time. */
		}
	}

	/* ---- asking ---- */

	function live(tone, text) {
		setText($("live"), text);
		setAttribute($("live"), "data-tone", tone);
	}

	async function ask(place, tag) {
		const headers = {"X-Slipway-Key": pageKey, ...(tag ? {"If-None-Match": tag} : {})};
		const r = await fetch(place, {headers, cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(8000)});
		if (!r.ok && r.status !== 304)
			throw Object.assign(new Error(`${r.status}: ${(await r.text()).slice(0, 200)}`), {status: r.status});
		return {known: r.status === 304, tag: r.headers.get("ETag"), body: r.status === 304 ? null : await r.json()};
	}

	const sources = [{place: "/status.json", show, every: 1}, {place: "/status/images.json", show: showImages, every: 2}];
	let round = 0, timer = 0, looking = false;

	async function look() {
		clearTimeout(timer);
		if (looking || document.hidden)
			return;
		looking = true;
		let pause = LOOK_MS;
		const used = pageKey;
		try {
			for (const s of sources.filter((x) => !x.tag || round % x.every === 0)) {
				const answer = await ask(s.place, s.tag);
				$("locked").hidden = true;
				if (!answer.known)
					s.show(answer.body);
				s.tag = answer.tag;
			}
			round++;
			live("good", "live");
		} catch (problem) {
			$("locked").hidden = problem.status !== 403;
			live("bad", problem instanceof TypeError || problem.name === "TimeoutError" ? "does not answer; trying again" :
				problem.status === 403 ? "locked" : problem.message);
			pause = problem.status === 403 && used === pageKey ? LOCKED_MS : RETRY_MS;
		}
		looking = false;
		timer = setTimeout(look, pause);
	}

	/* ---- the log ---- */

	const log = {key: null, wanted: null, place: null, next: null, paused: false, timer: 0, from: null};
	const lines = $("log-lines");

	function atEnd() {
		return lines.scrollHeight - lines.scrollTop - lines.clientHeight < 24;
	}

	function addLines(list) {
		const follow = atEnd(), part = document.createDocumentFragment();
		for (const e of list) {
			const time = new Date(e.time);
			/* Colours of terminals are left out, and what else no screen shows. */
			const text = e.text.replace(/\x1b\[[0-?]*[ -/]*[@-~]/g, "").replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");
			part.append(make("div", {}, make("time", {datetime: time.toISOString()}, time.toLocaleTimeString([], {hour12: false})), text));
		}
		lines.append(part);
		while (lines.childElementCount > LOG_LINES)
			lines.firstElementChild.remove();
		if (follow)
			lines.scrollTop = lines.scrollHeight;
	}

	async function readLog() {
		const key = log.key;
		clearTimeout(log.timer);
		if (!key || log.paused || document.hidden)
			return;
		let more = false;
		try {
			const where = new URLSearchParams({...log.place, ...(log.next === null ? {} : {position: log.next})});
			const {body} = await ask(`/status/logs?${where}`);
			if (log.key !== key || log.paused)
				return;
			addLines(body.events);
			log.next = body.next;
			more = body.more;
			setText($("log-state"), lines.childElementCount ? "" : "nothing was written yet");
		} catch (problem) {
			if (problem.status === 410)
				log.next = null;
			setText($("log-state"), problem instanceof TypeError ? "does not answer" : problem.message);
		}
		clearTimeout(log.timer);
		log.timer = setTimeout(readLog, more ? 0 : LOG_MS);
	}

	function nameLog() {
		const [id, name] = partKey(log.key || "/"), task = tasksById.get(id);
		const container = task && task.containers.find((c) => c.name === name);
		if (container)
			setText($("log-title"), logTitle(task, container));
	}

	function markRow(row) {
		setAttribute(row, "data-shown", log.key && log.key.startsWith(`${row.dataset.key}/`) ? "" : null);
	}

	function markRows() {
		document.querySelectorAll("#tasks tbody tr, #stopped tbody tr").forEach(markRow);
	}

	/* key: "TASK/CONTAINER" */
	function openLog(key, from) {
		const [id, name] = partKey(key), task = tasksById.get(id);
		const container = task && task.containers.find((c) => c.name === name && c.log);
		log.wanted = null;
		if (!container)
			return;
		Object.assign(log, {key, place: container.log, next: null, from: from || null});
		lines.replaceChildren();
		setText($("log-state"), "");
		nameLog();
		$("log").hidden = false;
		document.body.classList.add("with-log");
		history.replaceState(null, "", `#log/${encodeURIComponent(key)}`);
		setPaused(false);
		markRows();
		if (from)
			$("log-title").focus({preventScroll: true});
	}

	function closeLog() {
		Object.assign(log, {key: null, next: null});
		clearTimeout(log.timer);
		$("log").hidden = true;
		document.body.classList.remove("with-log");
		history.replaceState(null, "", location.pathname);
		markRows();
		if (log.from && log.from.isConnected)
			log.from.focus({preventScroll: true});
	}

	function setPaused(paused) {
		log.paused = paused;
		setText($("log-pause"), paused ? "Go on" : "Pause");
		setAttribute($("log-pause"), "aria-pressed", String(paused));
		if (!paused)
			readLog();
	}

	$("log-pause").addEventListener("click", () => setPaused(!log.paused));
	$("log-close").addEventListener("click", closeLog);
	$("log-end").addEventListener("click", () => {
		lines.scrollTop = lines.scrollHeight;
	});
	lines.addEventListener("scroll", () => {
		$("log-end").hidden = atEnd();
	}, {passive: true});
	document.addEventListener("keydown", (e) => {
		if (e.key === "Escape" && log.key)
			closeLog();
	});
	document.addEventListener("visibilitychange", () => {
		look();
		readLog();
	});
	window.addEventListener("hashchange", () => {
		takeKey();
		look();
	});
	takeKey();
	if (location.hash.startsWith("#log/")) {
		try {
			log.wanted = decodeURIComponent(location.hash.slice(5));
		} catch {
			log.wanted = null;
		}
	}
	setInterval(tick, 1000);
	look();
})();
