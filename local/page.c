#include "local/page.h"

#include <string.h>

#include "base/alloc.h"
#include "base/base64.h"
#include "base/sha256.h"
#include "base/time.h"
#include "local/api_form.h"
#include "local/page_key.h"
#include "local/page_logs.h"
#include "local/status.h"
#include "local/status_images.h"

extern const char local_page_html[], local_page_html_end[];
extern const char local_page_css[], local_page_css_end[];
extern const char local_page_js[], local_page_js_end[];

struct route {
	const char *path;
	void (*answer)(struct local *l, struct server_request *r);
};

static void add_safety(struct server_request *r)
{
	server_add_header(r, "X-Content-Type-Options", "nosniff");
	server_add_header(r, "Referrer-Policy", "no-referrer");
	server_add_header(r, "Cross-Origin-Resource-Policy", "same-origin");
	server_add_header(r, "Cache-Control", "no-store");
}

static void answer_text(struct server_request *r, int status, const char *text)
{
	server_add_header(r, "Content-Type", "text/plain; charset=utf-8");
	server_answer(r, status, text, strlen(text));
}

/* ---- the page itself ---- */

static void add_hash(struct strbuf *policy, const char *text, const char *end)
{
	uint8_t hash[SHA256_SIZE];

	sha256_buf(text, (size_t)(end - text), hash);
	strbuf_puts(policy, "'sha256-");
	base64_encode(policy, hash, sizeof(hash));
	strbuf_puts(policy, "'; ");
}

/* Nothing but our own script and style runs, and it asks nobody else: whatever a name or a log line holds. */
static void add_policy(struct server_request *r)
{
	AUTO(strbuf) policy = STRBUF_INIT;

	strbuf_puts(&policy, "default-src 'none'; script-src ");
	add_hash(&policy, local_page_js, local_page_js_end);
	strbuf_puts(&policy, "style-src ");
	add_hash(&policy, local_page_css, local_page_css_end);
	strbuf_puts(&policy, "connect-src 'self'; img-src data:; base-uri 'none'; "
			     "form-action 'none'; frame-ancestors 'none'; "
			     "require-trusted-types-for 'script'; trusted-types 'none'");
	server_add_header(r, "Content-Security-Policy", policy.buf);
}

/* Adds the HTML up to the closing tag, and what stands before it. Returns what follows. */
static const char *add_part(struct strbuf *out, const char *html, const char *tag, const char *text,
			    const char *end)
{
	const char *at = strstr(html, tag);

	strbuf_add(out, html, (size_t)(at - html));
	strbuf_add(out, text, (size_t)(end - text));
	return at;
}

static void answer_page(struct local *l, struct server_request *r)
{
	const char *rest = local_page_html;
	AUTO(strbuf) page = STRBUF_INIT;

	(void)l;
	rest = add_part(&page, rest, "</style>", local_page_css, local_page_css_end);
	rest = add_part(&page, rest, "</script>", local_page_js, local_page_js_end);
	strbuf_puts(&page, rest);
	add_policy(r);
	server_add_header(r, "X-Frame-Options", "DENY");
	server_add_header(r, "Cross-Origin-Opener-Policy", "same-origin");
	server_add_header(r, "Content-Type", "text/html; charset=utf-8");
	server_answer(r, 200, page.buf, page.len);
}

/* ---- what it asks for ---- */

/* True, and answered, when the client has this version. */
static bool is_known(struct server_request *r, const char *tag)
{
	const char *known = server_request_header(r, "If-None-Match");

	server_add_header(r, "ETag", tag);
	if (!known || strcmp(known, tag) != 0)
		return false;
	server_answer(r, 304, NULL, 0);
	return true;
}

static void set_target(json_t *out, const struct local *l)
{
	json_t *notes = json_array();

	if (l->no_auth)
		json_array_append_new(
			notes, json_string("Signatures of calls are not verified: --no-auth."));
	json_object_set_new(out, "notes", notes);
	json_object_set_new(out, "target",
			    json_pack("{s:s, s:s, s:f}", "region", l->region, "account",
				      LOCAL_ACCOUNT, "now", (double)time_now_ns() / 1e9));
}

static void answer_json(struct server_request *r, const json_t *j)
{
	AUTO(strbuf) text = STRBUF_INIT;

	json_write(j, &text);
	server_add_header(r, "Content-Type", "application/json");
	server_answer(r, 200, text.buf, text.len);
}

static void answer_status(struct local *l, struct server_request *r)
{
	json_t *out;

	state_lock(l->state);
	/* Versions begin anew with each process. */
	AUTO_FREE char *tag = xstrfmt("\"%llx-%llu\"", (long long)l->started_ns,
				      (unsigned long long)state_version(l->state));

	if (!is_known(r, tag)) {
		out = status_document(l->state);
		set_target(out, l);
		answer_json(r, out);
		json_decref(out);
	}
	state_unlock(l->state);
}

static void answer_failure(struct local *l, struct server_request *r, const struct error *err)
{
	report_log(l->reporter, LOG_WARNING, "%.200s: %s", server_request_target(r), err->message);
	answer_text(r, 500, "the local target failed; its log says why\n");
}

static void answer_images(struct local *l, struct server_request *r)
{
	AUTO(strlist) names = STRLIST_INIT;
	AUTO(error) err = ERROR_INIT;
	json_t *repository;
	const char *name;

	state_lock(l->state);
	json_object_foreach (state_all(l->state, STATE_REPOSITORIES), name, repository)
		strlist_add(&names, name);
	state_unlock(l->state);
	strlist_sort(&names);
	AUTO_FREE char *tag = status_images_tag(l->store, &names);

	if (is_known(r, tag))
		return;
	AUTO_JSON *out = status_images(l->store, &names, &err);

	if (out)
		answer_json(r, out);
	else
		answer_failure(l, r, &err);
}

/* -1: it is none. */
static int parse_position(const char *text, int64_t *out)
{
	char *end;

	*out = PAGE_LOG_TAIL;
	if (!text)
		return 0;
	if (strlen(text) > 18 || !*text)
		return -1;
	*out = strtoll(text, &end, 10);
	return *end || *out < 0 ? -1 : 0;
}

static void answer_logs(struct local *l, struct server_request *r)
{
	const char *mark = strchr(server_request_target(r), '?');
	AUTO_JSON *query = json_object();
	AUTO(error) err = ERROR_INIT;
	const char *group, *stream;
	int64_t position;

	if (mark && api_form_read(query, mark + 1, strlen(mark + 1), &err) < 0) {
		answer_text(r, 400, err.message);
		return;
	}
	group = json_string_value(json_object_get(query, "group"));
	stream = json_string_value(json_object_get(query, "stream"));
	if (!group || !stream ||
	    parse_position(json_string_value(json_object_get(query, "position")), &position) < 0) {
		answer_text(r, 400, "wanted: group, stream and a position or none\n");
		return;
	}
	AUTO_JSON *piece = page_log_piece(l->logs, group, stream, position, &err);

	if (piece)
		answer_json(r, piece);
	else if (err.kind == ERROR_CORRUPT)
		answer_text(r, 410, "the log has been removed since\n");
	else
		answer_failure(l, r, &err);
}

static const struct route routes[] = {
	{"/", answer_page},
	{"/status.json", answer_status},
	{"/status/images.json", answer_images},
	{"/status/logs", answer_logs},
};

static const struct route *find_route(const struct server_request *r)
{
	const char *target = server_request_target(r);
	size_t len = strcspn(target, "?");

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		if (strlen(routes[i].path) == len && strncmp(routes[i].path, target, len) == 0)
			return &routes[i];
	return NULL;
}

/* What the page asks for is for the page: no other page has a use for it, and browsers say who asks. */
static bool is_foreign(struct server_request *r)
{
	const char *site = server_request_header(r, "Sec-Fetch-Site");

	return site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
}

/* The page itself holds nothing, and asks whoever opens it for the key; what it shows is for those who have it. */
static bool has_key(const struct local *l, struct server_request *r)
{
	const char *given = server_request_header(r, PAGE_KEY_HEADER);
	char key[PAGE_KEY_SIZE];
	bool has;

	if (l->no_auth)
		return true;
	page_key_make(l->secret_key, key);
	has = given && sha256_equal_text(given, key);
	wipe(key, sizeof(key));
	return has;
}

void page_answer(struct local *l, struct server_request *r)
{
	const char *method = server_request_method(r);
	const struct route *route = find_route(r);

	add_safety(r);
	if (!route) {
		answer_text(r, 404,
			    "there is nothing here: slipway's local target answers AWS's API by "
			    "POST /, a registry's at /v2/, and shows its status at /\n");
	} else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		server_add_header(r, "Allow", "GET, HEAD");
		answer_text(r, 405, "the status page shows, and changes nothing\n");
	} else if (route->answer != answer_page && is_foreign(r)) {
		answer_text(r, 403, "this is for the status page alone\n");
	} else if (route->answer != answer_page && !has_key(l, r)) {
		answer_text(r, 403,
			    "without its key the status page shows nothing: 'slipway local "
			    "status' tells the address with the key\n");
	} else {
		route->answer(l, r);
	}
}
