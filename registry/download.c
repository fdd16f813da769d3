#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "registry/blobs.h"
#include "registry/endpoints.h"
#include "registry/policy.h"
#include "registry/relay.h"
#include "registry/remote_error.h"
#include "registry/request.h"
#include "registry/retry.h"
#include "registry/sources.h"

#define PROGRESS_STEP (256 << 10)

struct download {
	struct sink sink; /* what arrives: never beyond the promised size */
	const struct blob_job *job;
	struct ingest *in;
	bool ranged;   /* this attempt asked for the rest only */
	bool no_range; /* the registry answered a Range wrongly: whole blobs only */
	bool restart;  /* this attempt showed it */
	bool foreign;  /* not from the registry: a refusal is final */
	bool other; /* the registry has a blob of another size by this name: asking again changes nothing */
	int64_t said;
	char *what;
};

static void download_release(struct download *d)
{
	ingest_free(d->in);
	free(d->what);
}
CLEANUP_RELEASE(download)

bool blob_is_foreign(const struct descriptor *d)
{
	return d->media_type && (strstr(d->media_type, ".nondistributable.") ||
				 strstr(d->media_type, ".rootfs.foreign."));
}

int blob_check_stop(const struct blob_job *job, struct error *err)
{
	if (job->stop && atomic_load(job->stop))
		return error_set(err, ERROR_CANCELLED, "ended because another transfer failed");
	return cancel_check(job->client->o.cancel, err);
}

void blob_progress(const struct blob_job *job, int64_t done, int64_t *said)
{
	/* The upload that follows tells how far it is. */
	if (!job->step || job->relay ||
	    (done - *said < PROGRESS_STEP && done < job->blob->size && done >= *said))
		return;
	*said = done;
	report_step_progress(job->client->o.reporter, job->step, done, job->blob->size);
}

static int download_write(struct sink *s, const void *data, size_t len, struct error *err)
{
	struct download *d = (struct download *)s;
	int64_t have = ingest_size(d->in);

	if (blob_check_stop(d->job, err) < 0)
		return -1;
	if ((int64_t)len > d->job->blob->size - have)
		return error_set(err, ERROR_CORRUPT,
				 "the registry sends more than the %lld bytes of %s",
				 (long long)d->job->blob->size, d->job->blob->digest.text);
	if (sink_write(ingest_sink(d->in), data, len, err) < 0)
		return -1;
	if (d->job->relay)
		relay_grown(d->job->relay, ingest_size(d->in));
	blob_progress(d->job, ingest_size(d->in), &d->said);
	return 0;
}

static int start_again(struct download *d, struct error *err)
{
	if (d->job->relay)
		relay_grown(d->job->relay, 0);
	return ingest_restart(d->in, err);
}

static int on_progress(void *arg, int64_t sent, int64_t received, struct error *err)
{
	const struct download *d = arg;

	(void)sent;
	(void)received;
	return blob_check_stop(d->job, err);
}

/* "bytes 100-199/200" (RFC 9110 14.4): does it begin where we stopped, and is the whole what was promised? */
static bool range_fits(const char *value, int64_t start, int64_t size)
{
	long long first, last, total;
	int end = 0;

	return value && sscanf(value, "bytes %lld-%lld/%lld%n", &first, &last, &total, &end) == 3 &&
	       !value[end] && first == start && last == size - 1 && total == size;
}

/* A whole blob of another size than was promised is refused before its first byte. */
static int check_length(struct download *d, const struct http_response *res, struct error *err)
{
	const char *length = http_header_get(res, "Content-Length", 0);
	const struct descriptor *blob = d->job->blob;
	int64_t said = http_parse_bytes(length);

	if (said < 0 || said == blob->size || http_header_get(res, "Transfer-Encoding", 0))
		return 0;
	d->other = true;
	error_set(err, ERROR_CORRUPT, "%s has %lld bytes at %s, but the manifest says %lld",
		  blob->digest.text, (long long)said, d->job->repository->host,
		  (long long)blob->size);
	return error_hint(err, "the blob is damaged there: push the image again");
}

static int on_headers(void *arg, const struct http_response *res, struct error *err)
{
	struct download *d = arg;
	const char *range = http_header_get(res, "Content-Range", 0);

	if (res->status == 206 &&
	    (!d->ranged || !range_fits(range, ingest_size(d->in), d->job->blob->size))) {
		AUTO(strbuf) shown = STRBUF_INIT;

		d->restart = true;
		strbuf_add_printable(&shown, range ? range : "", range ? strnlen(range, 100) : 0,
				     false);
		return error_set(err, ERROR_CORRUPT,
				 "the answer is another part than asked for (Content-Range \"%s\")",
				 shown.buf);
	}
	if (res->status == 200 && check_length(d, res, err) < 0)
		return -1;
	/* The server does not know ranges: everything comes again. */
	if (res->status == 200 && ingest_size(d->in) > 0)
		return start_again(d, err);
	return 0;
}

static int attempt(struct download *d, const struct url *foreign, struct http_response *res,
		   struct url *final, struct error *err)
{
	const struct blob_job *job = d->job;
	int64_t have = ingest_size(d->in);
	AUTO_FREE char *path = xstrfmt("/v2/%s/blobs/%s", job->repository->path,
				       job->blob->digest.text);
	AUTO(strlist) headers = STRLIST_INIT;
	AUTO(strlist) scopes = STRLIST_INIT;
	struct registry_request r = {
		.host = client_host(job->client, job->repository),
		.what = d->what,
		.path = foreign ? NULL : path,
		.url = foreign,
		.anonymous = foreign != NULL,
		.need = {.repository = job->repository->path, .scopes = &scopes},
		.http = {.method = "GET",
			 .headers = &headers,
			 .body_len = -1,
			 .sink = &d->sink,
			 .on_headers = on_headers,
			 .on_progress = on_progress,
			 .arg = d},
		.step = job->step,
	};

	auth_scope_pull(&scopes, job->repository->path);
	d->sink = (struct sink){.write = download_write};
	d->restart = false;
	d->ranged = have > 0 && !d->no_range;
	if (have > 0 && d->no_range && start_again(d, err) < 0)
		return -1;
	if (d->ranged)
		strlist_addf(&headers, "Range: bytes=%lld-", (long long)have);
	return request_once(&r, res, final, err);
}

/* Turns what is no success, but may become one, into a failure that is retried. */
static int judge(struct download *d, const struct http_response *res, const struct url *final,
		 struct error *why)
{
	const struct registry_host *host = client_host(d->job->client, d->job->repository);
	AUTO_FREE char *answered = url_host_port(final);
	AUTO(strbuf) text = STRBUF_INIT;

	if (res->status == 200 || res->status == 206) {
		if (ingest_size(d->in) == d->job->blob->size)
			return 0;
		return error_set(why, ERROR_NETWORK, "%s ended the answer after %lld of %lld bytes",
				 answered, (long long)ingest_size(d->in),
				 (long long)d->job->blob->size);
	}
	/* A signed address that the registry handed out ends after a while: it gives a new one. */
	if (!d->foreign && res->status >= 400 && res->status < 500 &&
	    strcmp(answered, host->name) != 0) {
		remote_describe(&text, answered, res);
		return error_set(why, ERROR_NETWORK, "%s", text.buf);
	}
	return 0;
}

/* Until all bytes are there. 1: they are; 0: *res is the final refusal; -1. */
static int transfer(struct download *d, const struct url *foreign, struct http_response *res,
		    struct error *err)
{
	struct retry retry;

	retry_begin(&retry, client_host(d->job->client, d->job->repository), d->job->step, d->what);
	retry.stop = d->job->stop;
	while (ingest_size(d->in) < d->job->blob->size) {
		AUTO(error) why = ERROR_INIT;
		AUTO(url) final = {0};
		int64_t before = ingest_size(d->in);
		int rc = attempt(d, foreign, res, &final, &why);
		bool wrong_range = d->restart || (rc == 0 && res->status == 416);
		int again;

		if (rc == 0 && !wrong_range)
			rc = judge(d, res, &final, &why);
		if (rc == 0 && (res->status == 200 || res->status == 206))
			continue;
		if (wrong_range && !d->no_range && before > 0) {
			d->no_range = true;
			continue;
		}
		again = retry_again(&retry, rc < 0 ? NULL : res, &why, ingest_size(d->in) - before,
				    err);
		if (again < 0)
			return -1;
		if (again == 0 && rc < 0)
			return error_move(err, &why);
		if (again == 0)
			return 0;
	}
	return 1;
}

/* Foreign layers live at their urls: https only, and nobody learns our credentials there. */
static int transfer_foreign(struct download *d, struct http_response *res, struct error *err)
{
	const struct descriptor *blob = d->job->blob;
	AUTO(url) registry = {0};
	int rc = 0;

	d->foreign = true;
	if (host_url(client_host(d->job->client, d->job->repository), "/", &registry, err) < 0)
		return -1;
	for (size_t i = 0; i < blob->urls.n && rc == 0; i++) {
		AUTO(url) url = {0};

		if (url_parse(&url, blob->urls.items[i], err) < 0)
			return error_wrap(err, "address of the foreign layer %s",
					  blob->digest.text);
		if (strcmp(url.scheme, "https") != 0)
			return error_set(err, ERROR_DENIED,
					 "foreign layer %s: only https addresses are fetched",
					 blob->digest.text);
		if (policy_check(&registry, &url, "foreign layer", err) < 0)
			return -1;
		rc = transfer(d, &url, res, err);
	}
	return rc;
}

static int fetch_all(struct download *d, struct error *err)
{
	const struct blob_job *job = d->job;
	AUTO(http_response) res = {0};
	int rc;

	/* More than the whole: left by a blob of another promised size. */
	if (ingest_size(d->in) > job->blob->size && start_again(d, err) < 0)
		return -1;
	rc = transfer(d, NULL, &res, err);
	if (rc == 0 && res.status == 404 && blob_is_foreign(job->blob) && job->blob->urls.n)
		rc = transfer_foreign(d, &res, err);
	if (rc == 0)
		return remote_error(err, d->what, job->repository->host, &res);
	if (rc < 0)
		return remote_unreachable(err, d->what, job->repository->host);
	rc = job->relay && job->passes ? ingest_check(d->in, job->blob->size, err)
				       : ingest_commit(d->in, NULL, job->blob->size, err);
	return rc < 0 ? error_wrap(err, "%s", d->what) : 0;
}

/* Its reader goes on with this file. */
static int show(const struct download *d, struct error *err)
{
	int fd;

	if (!d->job->relay || ingest_is_present(d->in))
		return 0;
	if (ingest_reader(d->in, &fd, err) < 0)
		return -1;
	relay_open(d->job->relay, fd, ingest_size(d->in));
	return 0;
}

static int download_from(const struct blob_job *job, struct error *err)
{
	/* Wrong content is asked for once more: what broke it may have been a passing fault. */
	for (int i = 0;; i++) {
		AUTO(error) why = ERROR_INIT;
		AUTO(download) d = {.job = job, .no_range = i > 0};

		d.what = xstrfmt("pull blob %s of %s/%s", job->blob->digest.text,
				 job->repository->host, job->repository->path);
		if (ingest_begin(&d.in, job->store, &job->blob->digest, err) < 0 ||
		    show(&d, err) < 0)
			return -1;
		if (ingest_is_present(d.in))
			break;
		if (fetch_all(&d, &why) == 0) {
			if (job->relay && job->passes)
				job->relay->ingest = take_ptr(d.in);
			break;
		}
		if (job->relay)
			relay_grown(job->relay, 0);
		if (why.kind != ERROR_CORRUPT || d.other || i > 0)
			return error_move(err, &why);
		if (job->step)
			report_step_note(job->client->o.reporter, job->step, "%s; once more",
					 why.message);
		if (ingest_size(d.in) > 0)
			start_again(&d, NULL);
	}
	return 0;
}

static int download_at(void *arg, struct registry_client *client, const struct image_ref *at,
		       struct error *err)
{
	const struct blob_job *asked = arg;
	struct blob_job job = *asked;

	job.client = client;
	job.repository = at;
	if (download_from(&job, err) < 0)
		return -1;
	/* Where it came from is as good a place to mount from as where it belongs. */
	sources_add(asked->client, job.store, &job.blob->digest, at);
	if (at != asked->repository)
		sources_add(asked->client, job.store, &job.blob->digest, asked->repository);
	return 0;
}

int blob_download(const struct blob_job *job, struct error *err)
{
	struct blob_job asked = *job;

	if (store_touch(job->store, &job->blob->digest, job->blob->size))
		return 0;
	return endpoints_try(job->client, job->repository, true, download_at, &asked, err);
}
