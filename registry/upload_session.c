#include <string.h>

#include "base/alloc.h"
#include "registry/policy.h"
#include "registry/remote_error.h"
#include "registry/retry.h"
#include "registry/upload.h"

/* After an answer of 404: *made when the repository was missing and is there now. */
static int make_repository(const struct upload *u, const struct http_response *res, bool *made,
			   struct error *err)
{
	const struct repository_maker *maker = &u->host->client->o.repositories;
	const struct image_ref *repo = u->job->repository;

	*made = false;
	if (res->status != 404 || !maker->make || !remote_has_code(res, "NAME_UNKNOWN"))
		return 0;
	return maker->make(maker->arg, repo->host, repo->path, made, err);
}

int upload_open(const struct upload *u, struct http_response *res, struct url *final,
		struct error *err)
{
	AUTO_FREE char *path = xstrfmt("/v2/%s/blobs/uploads/", u->job->repository->path);
	struct registry_request r = upload_request(u, "POST", path);
	bool made;

	r.http.body_len = 0;
	if (registry_send(&r, res, final, err) < 0 || make_repository(u, res, &made, err) < 0 ||
	    (made && registry_send(&r, res, final, err) < 0))
		return -1;
	if (res->status != 202)
		return remote_error(err, u->what, u->job->repository->host, res);
	return 0;
}

int upload_locate(const struct upload *u, const struct http_response *res, const struct url *final,
		  struct url *out, struct error *err)
{
	const char *location = http_header_get(res, "Location", 0);
	AUTO(url) origin = {0};

	if (!location)
		return error_set(err, ERROR_REMOTE, "%s: %s opened an upload without a Location",
				 u->what, u->job->repository->host);
	if (url_resolve(out, final, location, err) < 0 ||
	    host_url(u->host, "/", &origin, err) < 0 ||
	    policy_check(&origin, out, "upload session", err) < 0)
		return error_wrap(err, "%s", u->what);
	return 0;
}

void upload_add_digest(const struct upload *u, struct url *session)
{
	AUTO(strbuf) query = STRBUF_INIT;

	if (session->query)
		strbuf_printf(&query, "%s&", session->query);
	strbuf_puts(&query, "digest=");
	url_encode(&query, u->job->blob->digest.text);
	free(session->query);
	session->query = strbuf_detach(&query, NULL);
}

void upload_abandon(const struct upload *u, const struct url *session)
{
	struct registry_request r = upload_request(u, "DELETE", NULL);

	r.url = session;
	request_farewell(&r);
}

/*
 * Hashes what is about to be sent. The last piece is held back when the whole is not what it should be: an upload without
 * its end is never completed, so a damaged blob does not reach the registry.
 */
static int on_body(void *arg, int64_t offset, const void *data, size_t len, struct error *err)
{
	struct upload *u = arg;
	const struct descriptor *blob = u->job->blob;
	struct digest got;

	if (blob_check_stop(u->job, err) < 0)
		return -1;
	if (offset == 0) {
		/* Another attempt: of the same session after a challenge, or of the next. */
		digester_release(&u->digester);
		digester_init(&u->digester, &blob->digest);
		u->hashed = 0;
	}
	if (offset != u->hashed)
		return error_set(err, ERROR_SYSTEM, "the body is not read in order");
	digester_update(&u->digester, data, len);
	u->hashed += (int64_t)len;
	if (u->hashed < blob->size)
		return 0;
	got = digester_final(&u->digester);
	if (digest_equal(&got, &blob->digest))
		return 0;
	u->corrupt = true;
	return error_set(err, ERROR_CORRUPT, "the stored content has the digest %s", got.text);
}

int upload_on_progress(void *arg, int64_t sent, int64_t received, struct error *err)
{
	struct upload *u = arg;

	(void)received;
	blob_progress(u->job, u->base + sent, &u->said);
	return blob_check_stop(u->job, err);
}

static int put_bytes(struct upload *u, const struct url *session, struct http_response *res,
		     struct error *err)
{
	const struct descriptor *blob = u->job->blob;
	AUTO(strlist) headers = STRLIST_INIT;
	struct registry_request r = upload_request(u, "PUT", NULL);

	strlist_add(&headers, "Content-Type: application/octet-stream");
	r.url = session;
	r.http.headers = &headers;
	r.http.body_fd = u->fd;
	r.http.read_body = u->incoming ? upload_source_read : NULL;
	r.http.body_len = blob->size;
	r.http.body = blob->size ? NULL : "";
	r.http.on_body = on_body;
	r.http.on_progress = upload_on_progress;
	r.http.arg = u;
	return request_once(&r, res, NULL, err);
}

bool upload_is_lost(const struct http_response *res)
{
	return res->status == 416 ||
	       (res->status == 404 && !remote_has_code(res, "NAME_UNKNOWN")) ||
	       remote_has_code(res, "BLOB_UPLOAD_UNKNOWN");
}

int upload_check_stored(const struct upload *u, const struct http_response *res, struct error *err)
{
	const char *header = http_header_get(res, "Docker-Content-Digest", 0);
	const struct digest *want = &u->job->blob->digest;
	AUTO(error) ignored = ERROR_INIT;
	struct digest said;

	if (res->status < 200 || res->status >= 300)
		return remote_error(err, u->what, u->job->repository->host, res);
	if (header && digest_parse(&said, header, &ignored) == 0 &&
	    digest_is_sha512(&said) == digest_is_sha512(want) && !digest_equal(&said, want))
		return error_set(err, ERROR_CORRUPT, "%s: the registry stored it as %s", u->what,
				 said.text);
	return 0;
}

static int corrupt_blob(const struct upload *u, struct error *err)
{
	if (u->incoming)
		return error_wrap(err, "%s: what was fetched changed on its way, not sent",
				  u->what);
	store_quarantine(u->job->store, &u->job->blob->digest);
	error_wrap(err, "%s: damaged in the store, not sent", u->what);
	return error_hint(err,
			  "\"slipway fsck --repair\" finds what else is damaged; then build or "
			  "pull the image again");
}

static int give_up(const struct upload *u, const struct url *session, struct error *why,
		   struct error *err)
{
	upload_abandon(u, session);
	error_move(err, why);
	if (u->corrupt)
		return corrupt_blob(u, err);
	return remote_unreachable(err, u->what, u->job->repository->host);
}

/* What is worth a new session although no status of retry.h says so. */
static int judge(const struct upload *u, const struct http_response *res, struct error *why)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (!upload_is_lost(res))
		return 0;
	remote_describe(&text, u->host->login_name, res);
	return error_set(why, ERROR_NETWORK, "%s", text.buf);
}

enum outcome { SEND_DONE, SEND_AGAIN, SEND_TOO_LARGE };

/* One session with one PUT. */
static int send_whole(struct upload *u, struct url *opened, struct retry *retry,
		      struct http_response *res, enum outcome *outcome, struct error *err)
{
	AUTO(error) why = ERROR_INIT;
	AUTO(url) answered = *opened;
	AUTO(url) session = {0};
	AUTO(url) target = {0};
	bool present;
	int again, rc, source;

	*opened = (struct url){0};
	if ((!answered.scheme && upload_open(u, res, &answered, err) < 0) ||
	    upload_locate(u, res, &answered, &session, err) < 0)
		return -1;
	url_copy(&target, &session);
	upload_add_digest(u, &target);
	rc = put_bytes(u, &target, res, &why);
	source = rc < 0 ? upload_source_judge(u, err) : 0;
	if (source != 0) {
		upload_abandon(u, &session);
		*outcome = SEND_AGAIN;
		return source < 0 ? -1 : 0;
	}
	if (u->corrupt)
		return give_up(u, &session, &why, err);
	if (rc == 0 && res->status == 413) {
		upload_abandon(u, &session);
		*outcome = SEND_TOO_LARGE;
		return 0;
	}
	if (rc == 0)
		rc = judge(u, res, &why);
	again = retry_again(retry, rc < 0 ? NULL : res, &why, 0, err);
	if (again < 0)
		upload_abandon(u, &session);
	if (again < 0)
		return -1;
	if (again == 0 && rc < 0)
		return give_up(u, &session, &why, err);
	if (again == 0)
		return upload_check_stored(u, res, err);
	/* The last byte may have arrived, and only the answer been lost. */
	if (upload_is_present(u, &present, err) < 0)
		return -1;
	*outcome = present ? SEND_DONE : SEND_AGAIN;
	return 0;
}

static bool wants_chunks(const struct upload *u)
{
	int64_t chunk = host_chunk_bytes(u->host);

	return chunk > 0 && u->job->blob->size > chunk;
}

/* Whole, in one session after another. */
static int send_sessions(struct upload *u, struct url *opened, struct http_response *res,
			 bool *too_large, struct error *err)
{
	enum outcome outcome;
	struct retry retry;

	retry_begin(&retry, u->host, u->job->step, u->what);
	do {
		outcome = SEND_DONE;
		if (send_whole(u, opened, &retry, res, &outcome, err) < 0)
			return -1;
	} while (outcome == SEND_AGAIN);
	*too_large = outcome == SEND_TOO_LARGE;
	return 0;
}

int upload_send(struct upload *u, struct url *session, struct http_response *res, struct error *err)
{
	bool too_large = false, stuck = false;

	if (session->scheme || !wants_chunks(u)) {
		if (send_sessions(u, session, res, &too_large, err) < 0)
			return -1;
		if (!too_large)
			return 0;
	}
	if (upload_send_chunks(u, res, &stuck, err) < 0)
		return -1;
	if (!stuck)
		return 0;
	/* ECR's way with pieces: whole is what is left, if the refusal was a passing one. */
	if (send_sessions(u, session, res, &too_large, err) < 0)
		return -1;
	return too_large ? remote_error(err, u->what, u->job->repository->host, res) : 0;
}
