#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "registry/remote_error.h"
#include "registry/sources.h"
#include "registry/upload.h"

/* More repositories than this are not asked to lend a blob. */
#define MAX_MOUNTS 3

static void upload_release(struct upload *u)
{
	upload_source_close(u);
	strlist_release(&u->scopes);
	free(u->what);
	if (u->fd >= 0)
		close(u->fd);
	digester_release(&u->digester);
}
CLEANUP_RELEASE(upload)

struct registry_request upload_request(const struct upload *u, const char *method, const char *path)
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

int upload_is_present(const struct upload *u, bool *present, struct error *err)
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

/*
 * POST that asks for a mount: 201 is one, 202 an ordinary session, anything else means to go on without. source NULL: from wherever the
 * registry has it.
 */
static int mount_from(const struct upload *u, const char *source, struct http_response *res,
		      struct url *final, struct error *err)
{
	const char *to = u->job->repository->path;
	AUTO(strbuf) path = STRBUF_INIT;
	AUTO(strlist) scopes = STRLIST_INIT;
	AUTO(error) why = ERROR_INIT;
	struct registry_request r;

	strbuf_printf(&path, "/v2/%s/blobs/uploads/?mount=%s", to, u->job->blob->digest.text);
	auth_scope_push(&scopes, to);
	if (source) {
		strbuf_puts(&path, "&from=");
		url_encode(&path, source);
		auth_scope_pull(&scopes, source);
	}
	r = upload_request(u, "POST", path.buf);
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

/*
 * Does the registry have the blob anyhow (distribution-spec 1.1, automatic content discovery)? One on this machine is asked for what is in
 * our store, which it may share; a refusal opens the session that the upload needs.
 */
static int try_discovery(const struct upload *u, bool *mounted, char **from, struct url *session,
			 struct http_response *res, struct error *err)
{
	const struct descriptor *blob = u->job->blob;

	if (*mounted || session->scheme || !u->host->is_here ||
	    !store_has(u->job->store, &blob->digest, blob->size))
		return 0;
	if (mount_from(u, NULL, res, session, err) < 0)
		return -1;
	*mounted = res->status == 201;
	if (*mounted)
		*from = xstrdup("the registry's own store");
	if (res->status != 202)
		url_release(session);
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
	if (blob_check_stop(job, err) < 0 || upload_is_present(u, &present, err) < 0)
		return -1;
	if (present)
		return 0;
	if (try_mounts(u, &mounted, from, session, res, err) < 0 ||
	    try_discovery(u, &mounted, from, session, res, err) < 0)
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

	if (place(&u, outcome, from, &session, &res, err) < 0)
		return -1;
	if (*outcome == UPLOAD_DONE) {
		/* An empty blob has no last piece to hold back: its digest is known. */
		struct digest empty = digest_of("", 0);

		if (job->blob->size == 0 && !digest_is_sha512(&job->blob->digest) &&
		    !digest_equal(&empty, &job->blob->digest))
			return error_set(err, ERROR_CORRUPT, "%s: an empty blob of another digest",
					 u.what);
		if (upload_source_open(&u, err) < 0 || upload_send(&u, &session, &res, err) < 0)
			return -1;
		u.sent = true;
	} else if (job->passes) {
		/* The registry's answer to an earlier copy may have come after the interruption. */
		ingest_forget_whole(job->store, &job->blob->digest, job->blob->size);
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
