#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "registry/blobs.h"
#include "registry/policy.h"
#include "registry/remote_error.h"
#include "registry/request.h"
#include "registry/retry.h"
#include "registry/sources.h"

/* More repositories than this are not asked to lend a blob. */
#define MAX_MOUNTS 3

struct upload {
	const struct blob_job *job;
	struct registry_host *host;
	struct strlist scopes;
	char *what;
	int fd;
	struct digester digester; /* of what has been given to the connection */
	int64_t hashed, said;
	bool corrupt;
};

static void upload_release(struct upload *u)
{
	strlist_release(&u->scopes);
	free(u->what);
	if (u->fd >= 0)
		close(u->fd);
	digester_release(&u->digester);
}
CLEANUP_RELEASE(upload)

static struct registry_request upload_request(const struct upload *u, const char *method,
					      const char *path)
{
	return (struct registry_request){
		.host = u->host,
		.what = u->what,
		.path = path,
		.need = {.repository = u->job->repository->path, .scopes = &u->scopes},
		.http = {.method = method, .body_len = -1, .body_fd = -1},
		.step = u->job->step,
	};
}

/* HEAD. What has another size than the blob is not taken for it. */
static int is_present(const struct upload *u, bool *present, struct error *err)
{
	const struct descriptor *blob = u->job->blob;
	AUTO_FREE char *path = xstrfmt("/v2/%s/blobs/%s", u->job->repository->path,
				       blob->digest.text);
	struct registry_request r = upload_request(u, "HEAD", path);
	AUTO(http_response) res = {0};
	char size[24];
	const char *length;

	*present = false;
	if (registry_send(&r, &res, NULL, err) < 0)
		return -1;
	if (res.status == 401)
		return remote_error(err, u->what, u->job->repository->host, &res);
	length = http_header_get(&res, "Content-Length", 0);
	snprintf(size, sizeof(size), "%lld", (long long)blob->size);
	*present = res.status == 200 && (!length || strcmp(length, size) == 0);
	return 0;
}

/* POST that asks for a mount: 201 is one, 202 an ordinary session, anything else means to go on without. */
static int mount_from(const struct upload *u, const char *source, struct http_response *res,
		      struct url *final, struct error *err)
{
	const char *to = u->job->repository->path;
	AUTO(strbuf) path = STRBUF_INIT;
	AUTO(strlist) scopes = STRLIST_INIT;
	AUTO(error) why = ERROR_INIT;
	struct registry_request r;

	strbuf_printf(&path, "/v2/%s/blobs/uploads/?mount=%s&from=", to, u->job->blob->digest.text);
	url_encode(&path, source);
	r = upload_request(u, "POST", path.buf);
	auth_scope_push(&scopes, to);
	auth_scope_pull(&scopes, source);
	r.need.scopes = &scopes;
	r.http.body_len = 0;
	if (registry_send(&r, res, final, &why) == 0)
		return 0;
	/* No right to pull there is no reason not to upload. */
	if (why.kind != ERROR_DENIED)
		return error_move(err, &why);
	http_response_release(res);
	return 0;
}

/* *mounted, or a session at *session (its scheme set) when one was opened on the way. */
static int try_mounts(const struct upload *u, bool *mounted, char **from, struct url *session,
		      struct http_response *res, struct error *err)
{
	const struct image_ref *to = u->job->repository;
	AUTO(sources) sources = {0};
	int tried = 0;

	sources_get(u->job->store, &u->job->blob->digest, &sources);
	for (size_t i = 0; i < sources.n && tried < MAX_MOUNTS && !session->scheme; i++) {
		const struct image_ref *source = &sources.refs[i];

		if (strcmp(source->host, to->host) != 0 || strcmp(source->path, to->path) == 0)
			continue;
		tried++;
		if (mount_from(u, source->path, res, session, err) < 0)
			return -1;
		*mounted = res->status == 201;
		if (*mounted) {
			*from = xstrdup(source->path);
			return 0;
		}
		if (res->status != 202)
			url_release(session);
	}
	return 0;
}

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

static int open_session(const struct upload *u, struct http_response *res, struct url *final,
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

/* Where the bytes go: Location as the registry wrote it, with the digest added. */
static int session_url(const struct upload *u, const struct http_response *res,
		       const struct url *final, struct url *out, struct error *err)
{
	const char *location = http_header_get(res, "Location", 0);
	AUTO(url) origin = {0};
	AUTO(strbuf) query = STRBUF_INIT;

	if (!location)
		return error_set(err, ERROR_REMOTE, "%s: %s opened an upload without a Location",
				 u->what, u->job->repository->host);
	if (url_resolve(out, final, location, err) < 0 ||
	    host_url(u->host, "/", &origin, err) < 0 ||
	    policy_check(&origin, out, "upload session", err) < 0)
		return error_wrap(err, "%s", u->what);
	if (out->query)
		strbuf_printf(&query, "%s&", out->query);
	strbuf_puts(&query, "digest=");
	url_encode(&query, u->job->blob->digest.text);
	free(out->query);
	out->query = strbuf_detach(&query, NULL);
	return 0;
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

static void on_progress(void *arg, int64_t sent, int64_t received)
{
	struct upload *u = arg;

	(void)received;
	blob_progress(u->job, sent, &u->said);
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
	r.http.body_len = blob->size;
	r.http.body = blob->size ? NULL : "";
	r.http.on_body = on_body;
	r.http.on_progress = on_progress;
	r.http.arg = u;
	return request_once(&r, res, NULL, err);
}

static bool is_session_lost(const struct http_response *res)
{
	return res->status == 416 ||
	       (res->status == 404 && !remote_has_code(res, "NAME_UNKNOWN")) ||
	       remote_has_code(res, "BLOB_UPLOAD_UNKNOWN");
}

static int check_stored(const struct upload *u, const struct http_response *res, struct error *err)
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
	store_quarantine(u->job->store, &u->job->blob->digest);
	error_wrap(err, "%s: damaged in the store, not sent", u->what);
	return error_hint(err,
			  "\"slipway fsck --repair\" finds what else is damaged; then build or "
			  "pull the image again");
}

/* One session after another until the bytes are there; the first may have been opened by a refused mount. */
static int send_bytes(struct upload *u, struct url *first, struct http_response *res, bool *present,
		      struct error *err)
{
	struct retry retry;

	retry_begin(&retry, u->host, u->job->step, u->what);
	for (;;) {
		AUTO(error) why = ERROR_INIT;
		AUTO(url) answered = *first;
		AUTO(url) session = {0};
		int again, rc;

		*first = (struct url){0};
		if ((!answered.scheme && open_session(u, res, &answered, err) < 0) ||
		    session_url(u, res, &answered, &session, err) < 0)
			return -1;
		rc = put_bytes(u, &session, res, &why);
		if (u->corrupt) {
			error_move(err, &why);
			return corrupt_blob(u, err);
		}
		if (rc == 0 && is_session_lost(res)) {
			AUTO(strbuf) text = STRBUF_INIT;

			remote_describe(&text, u->host->login_name, res);
			rc = error_set(&why, ERROR_NETWORK, "%s", text.buf);
		}
		again = retry_again(&retry, rc < 0 ? NULL : res, &why, 0, err);
		if (again < 0)
			return -1;
		if (again == 0 && rc == 0)
			return check_stored(u, res, err);
		if (again == 0) {
			error_move(err, &why);
			return remote_unreachable(err, u->what, u->job->repository->host);
		}
		/* The last byte may have arrived, and only the answer been lost. */
		if (is_present(u, present, err) < 0 || *present)
			return *present ? 0 : -1;
	}
}

static int open_blob(struct upload *u, struct error *err)
{
	const struct blob_job *job = u->job;
	int64_t size;

	/* A layer that a build did not need here is fetched from where it is known to be. */
	if (!store_has(job->store, &job->blob->digest, job->blob->size) &&
	    blob_fetch_known(job, err) < 0)
		return error_wrap(err, "%s", u->what);
	if (store_open_blob(job->store, &job->blob->digest, job->blob->size, &u->fd, &size, err) <
	    0)
		return error_wrap(err, "%s", u->what);
	return 0;
}

/* Without sending it. *session: as try_mounts() leaves it. */
static int place(struct upload *u, enum upload_outcome *outcome, char **from, struct url *session,
		 struct http_response *res, struct error *err)
{
	const struct blob_job *job = u->job;
	bool present, mounted = false;

	u->host = client_host(job->client, job->repository);
	u->what = xstrfmt("push blob %s to %s/%s", job->blob->digest.text, job->repository->host,
			  job->repository->path);
	auth_scope_push(&u->scopes, job->repository->path);
	*from = NULL;
	*outcome = UPLOAD_PRESENT;
	if (blob_check_stop(job, err) < 0 || is_present(u, &present, err) < 0)
		return -1;
	if (present)
		return 0;
	if (try_mounts(u, &mounted, from, session, res, err) < 0)
		return -1;
	*outcome = mounted ? UPLOAD_MOUNTED : UPLOAD_DONE;
	return 0;
}

int blob_upload(const struct blob_job *job, enum upload_outcome *outcome, char **from,
		struct error *err)
{
	AUTO(upload) u = {.job = job, .fd = -1};
	AUTO(http_response) res = {0};
	AUTO(url) session = {0};
	bool present;

	if (place(&u, outcome, from, &session, &res, err) < 0)
		return -1;
	if (*outcome == UPLOAD_DONE) {
		/* An empty blob has no last piece to hold back: its digest is known. */
		struct digest empty = digest_of("", 0);

		if (job->blob->size == 0 && !digest_is_sha512(&job->blob->digest) &&
		    !digest_equal(&empty, &job->blob->digest))
			return error_set(err, ERROR_CORRUPT, "%s: an empty blob of another digest",
					 u.what);
		if (open_blob(&u, err) < 0 || send_bytes(&u, &session, &res, &present, err) < 0)
			return -1;
	}
	sources_add(job->client, job->store, &job->blob->digest, job->repository);
	return 0;
}

int registry_place_blob(struct registry_client *c, struct store *s, const struct image_ref *ref,
			const struct descriptor *blob, bool *placed, struct error *err)
{
	const struct blob_job job = {.client = c, .store = s, .repository = ref, .blob = blob};
	AUTO(upload) u = {.job = &job, .fd = -1};
	AUTO(http_response) res = {0};
	AUTO(url) session = {0};
	enum upload_outcome outcome;
	AUTO_FREE char *from = NULL;

	if (place(&u, &outcome, &from, &session, &res, err) < 0)
		return -1;
	*placed = outcome != UPLOAD_DONE;
	if (*placed)
		sources_add(c, s, &blob->digest, ref);
	return 0;
}
