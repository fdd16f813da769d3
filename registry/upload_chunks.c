/*
 * A blob in pieces (distribution-spec 1.1, Pushing a blob in chunks): for proxies that limit the size of a request. Registries
 * differ in it more than in anything else, so nothing is taken for granted: after each piece the session says how far it is, and
 * after a break it is asked.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "registry/remote_error.h"
#include "registry/retry.h"
#include "registry/upload.h"

#define FIRST_CHUNK (32ll << 20)
#define LEAST_CHUNK (64ll << 10)

struct chunks {
	struct upload *u;
	struct url session;
	struct retry retry;
	int64_t done;  /* bytes that the session holds */
	int64_t least; /* OCI-Chunk-Min-Length */
	bool stuck;
};

static void chunks_release(struct chunks *c)
{
	url_release(&c->session);
}
CLEANUP_RELEASE(chunks)

/* "Range: 0-99" means 100 bytes; -1 when there is none to be read. "0-0" of an empty session is one byte by the letter. */
static int64_t held(const struct http_response *res)
{
	const char *range = http_header_get(res, "Range", 0);
	int64_t last;

	if (range && str_starts(range, "bytes="))
		range += strlen("bytes=");
	if (!range || !str_starts(range, "0-") || !range[2])
		return -1;
	last = http_parse_bytes(range + 2);
	return last < 0 ? -1 : last + 1;
}

static int open_session(struct chunks *c, struct http_response *res, struct error *err)
{
	AUTO(url) answered = {0};

	url_release(&c->session);
	c->session = (struct url){0};
	c->done = 0;
	if (upload_open(c->u, res, &answered, err) < 0 ||
	    upload_locate(c->u, res, &answered, &c->session, err) < 0)
		return -1;
	c->least = http_parse_bytes(http_header_get(res, "OCI-Chunk-Min-Length", 0));
	return 0;
}

/* The session's address may change with each answer. */
static int move_on(struct chunks *c, const struct http_response *res, const struct url *final,
		   struct error *err)
{
	AUTO(url) next = {0};

	if (!http_header_get(res, "Location", 0))
		return 0;
	if (upload_locate(c->u, res, final, &next, err) < 0)
		return -1;
	url_release(&c->session);
	c->session = next;
	next = (struct url){0};
	return 0;
}

/* How far is the session? One that is gone, or cannot tell, begins again. */
static int ask(struct chunks *c, struct http_response *res, bool *known, struct error *err)
{
	struct registry_request r = upload_request(c->u, "GET", NULL);
	AUTO(url) final = {0};
	int64_t at;

	*known = false;
	r.url = &c->session;
	if (registry_send(&r, res, &final, err) < 0)
		return -1;
	at = res->status == 204 || res->status == 200 ? held(res) : -1;
	if (at < 0 || at > c->u->job->blob->size)
		return 0;
	*known = true;
	/* "0-0": nothing yet, or one byte. Whoever sends pieces has sent more than one. */
	c->done = at == 1 ? 0 : at;
	return move_on(c, res, &final, err);
}

static int patch(struct chunks *c, int64_t len, struct http_response *res, struct url *final,
		 struct error *err)
{
	struct upload *u = c->u;
	AUTO(strlist) headers = STRLIST_INIT;
	struct registry_request r = upload_request(u, "PATCH", NULL);

	strlist_add(&headers, "Content-Type: application/octet-stream");
	strlist_addf(&headers, "Content-Range: %lld-%lld", (long long)c->done,
		     (long long)(c->done + len - 1));
	u->base = c->done;
	r.url = &c->session;
	r.http.headers = &headers;
	r.http.body_fd = u->fd;
	r.http.body_offset = c->done;
	r.http.body_len = len;
	r.http.on_progress = upload_on_progress;
	r.http.arg = u;
	return request_once(&r, res, final, err);
}

/* After a piece that was taken: is it where it should be? */
static int advance(struct chunks *c, int64_t len, struct http_response *res,
		   const struct url *final, struct error *err)
{
	int64_t before = c->done, at = held(res);
	bool known;

	if (move_on(c, res, final, err) < 0)
		return -1;
	c->done += len;
	if (at < 0 || at == c->done)
		return 0;
	if (ask(c, res, &known, err) < 0)
		return -1;
	/* Less than was sent may have arrived, but not nothing, and not more. */
	c->stuck = !known || c->done <= before || c->done > before + len;
	return 0;
}

/* A smaller piece; false when it is small enough already. */
static bool shrink(struct chunks *c, int64_t len)
{
	int64_t smaller = len / 2 > c->least ? len / 2 : c->least;

	if (smaller < LEAST_CHUNK || smaller >= len)
		return false;
	host_set_chunk_bytes(c->u->host, smaller);
	return true;
}

/* After a piece that was not taken: wait, and find out where to go on. 0: go on; *res: the final refusal when *refused. */
static int recover(struct chunks *c, int rc, struct http_response *res, struct error *why,
		   int64_t progress, bool *refused, struct error *err)
{
	bool lost = rc == 0 && upload_is_lost(res), known = false;
	int again;

	if (lost) {
		AUTO(strbuf) text = STRBUF_INIT;

		remote_describe(&text, c->u->host->login_name, res);
		rc = error_set(why, ERROR_NETWORK, "%s", text.buf);
	}
	again = retry_again(&c->retry, rc < 0 ? NULL : res, why, progress, err);
	if (again < 0)
		return -1;
	if (again == 0 && rc < 0) {
		error_move(err, why);
		return remote_unreachable(err, c->u->what, c->u->job->repository->host);
	}
	*refused = again == 0;
	if (*refused)
		return 0;
	if (ask(c, res, &known, err) < 0)
		return -1;
	return known ? 0 : open_session(c, res, err);
}

static int send_pieces(struct chunks *c, struct http_response *res, struct error *err)
{
	const int64_t size = c->u->job->blob->size;
	int64_t since = 0;

	while (c->done < size && !c->stuck) {
		AUTO(error) why = ERROR_INIT;
		AUTO(url) final = {0};
		int64_t len = host_chunk_bytes(c->u->host);
		bool refused = false;
		int rc;

		if (blob_check_stop(c->u->job, err) < 0)
			return -1;
		if (len < c->least)
			len = c->least;
		if (len > size - c->done)
			len = size - c->done;
		rc = patch(c, len, res, &final, &why);
		if (rc == 0 && res->status >= 200 && res->status < 300) {
			if (advance(c, len, res, &final, err) < 0)
				return -1;
			since += len;
			continue;
		}
		if (rc == 0 && res->status == 413 && shrink(c, len))
			continue;
		if (recover(c, rc, res, &why, since, &refused, err) < 0)
			return -1;
		if (refused)
			return remote_error(err, c->u->what, c->u->job->repository->host, res);
		since = 0;
	}
	return 0;
}

/* The end of a session: an empty PUT, and a look whether it was carried out when its answer is lost. */
static int finish(struct chunks *c, struct http_response *res, struct error *err)
{
	struct registry_request r = upload_request(c->u, "PUT", NULL);
	AUTO(url) target = {0};
	bool present;

	url_copy(&target, &c->session);
	upload_add_digest(c->u, &target);
	r.url = &target;
	r.http.body = "";
	r.http.body_len = 0;
	if (registry_send(&r, res, NULL, err) < 0)
		return -1;
	/* The first of two PUTs may have ended the session, and its answer been lost. */
	if (upload_is_lost(res)) {
		if (upload_is_present(c->u, &present, err) < 0)
			return -1;
		if (present)
			return 0;
	}
	return upload_check_stored(c->u, res, err);
}

int upload_send_chunks(struct upload *u, struct http_response *res, bool *stuck, struct error *err)
{
	const struct descriptor *blob = u->job->blob;
	AUTO(chunks) c = {.u = u};

	/* Pieces may be sent more than once, so the whole is verified before the first. */
	if (upload_source_whole(u, err) < 0)
		return -1;
	if (host_chunk_bytes(u->host) == 0) {
		int64_t half = blob->size / 2;

		host_set_chunk_bytes(u->host, half < FIRST_CHUNK ? half + 1 : FIRST_CHUNK);
		report_log(u->job->client->o.reporter, LOG_INFO,
			   "%s takes no request of %lld bytes: large blobs go there in pieces",
			   u->host->name, (long long)blob->size);
	}
	retry_begin(&c.retry, u->host, u->job->step, u->what);
	if (open_session(&c, res, err) < 0)
		return -1;
	if (send_pieces(&c, res, err) < 0 || (!c.stuck && finish(&c, res, err) < 0)) {
		upload_abandon(u, &c.session);
		return -1;
	}
	*stuck = c.stuck;
	if (c.stuck) {
		upload_abandon(u, &c.session);
		host_set_chunk_bytes(u->host, 0);
		report_log(u->job->client->o.reporter, LOG_DEBUG,
			   "%s loses pieces of an upload: whole blobs again", u->host->name);
	}
	return 0;
}
