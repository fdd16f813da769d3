/* Blobs that are not here, by what is remembered of where they were seen (sources.h). */
#include <string.h>

#include "base/alloc.h"
#include "registry/blobs.h"
#include "registry/parallel.h"
#include "registry/remote_error.h"
#include "registry/request.h"
#include "registry/sources.h"

int blob_fetch_known(const struct blob_job *job, struct error *err)
{
	AUTO(sources) sources = {0};
	AUTO(error) why = ERROR_INIT;

	sources_get(job->store, &job->blob->digest, &sources);
	for (size_t i = 0; i < sources.n; i++) {
		struct blob_job from = *job;

		from.repository = &sources.refs[i];
		error_clear(&why);
		if (blob_download(&from, &why) == 0)
			return 0;
		if (why.kind == ERROR_CANCELLED)
			break;
	}
	if (why.kind) {
		error_move(err, &why);
		return error_wrap(err, "it is not in the store");
	}
	error_set(err, ERROR_NOT_FOUND, "it is neither in the store nor known to be in a registry");
	return error_hint(err, "build or pull the image again");
}

int registry_fetch_known(struct registry_client *c, struct store *s, const struct descriptor *blob,
			 int step, struct error *err)
{
	const struct blob_job job = {.client = c, .store = s, .blob = blob, .step = step};

	if (store_touch(s, &blob->digest, blob->size))
		return 0;
	if (blob_fetch_known(&job, err) < 0)
		return error_wrap(err, "layer %s", blob->digest.text);
	return 0;
}

int registry_fetch_layer(struct registry_client *c, struct store *s, const struct image_ref *repo,
			 const struct descriptor *blob, int step, struct error *err)
{
	AUTO(sources) sources = {0};
	bool known_there = false;

	sources_get(s, &blob->digest, &sources);
	for (size_t i = 0; i < sources.n; i++)
		known_there |= strcmp(sources.refs[i].host, repo->host) == 0 &&
			       strcmp(sources.refs[i].path, repo->path) == 0;
	if (sources.n && !known_there)
		return registry_fetch_known(c, s, blob, step, err);
	return registry_fetch_blob(c, s, repo, blob, step, err);
}

struct missing {
	struct registry_client *client;
	struct store *store;
	const struct descriptor **blobs;
	size_t n;
};

static int fetch_one(void *arg, size_t i, const atomic_bool *stop, struct error *err)
{
	const struct missing *m = arg;
	struct reporter *reporter = m->client->o.reporter;
	AUTO(error) why = ERROR_INIT;
	char id[24];
	int step, rc;

	if (atomic_load(stop))
		return error_set(err, ERROR_CANCELLED, "ended because another transfer failed");
	digest_short(&m->blobs[i]->digest, id);
	step = report_step_begin(reporter, "fetching layer %s", id);
	rc = registry_fetch_known(m->client, m->store, m->blobs[i], step, &why);
	report_step_end(reporter, step, rc == 0 ? STEP_STATUS_DONE : STEP_STATUS_FAILED,
			rc == 0 ? NULL : &why);
	return rc == 0 ? 0 : error_move(err, &why);
}

int registry_fetch_missing(struct registry_client *c, struct store *s, const struct image *image,
			   struct error *err)
{
	const struct manifest *m = &image->manifest;
	AUTO_FREE const struct descriptor **blobs = xcalloc(m->n_layers + 1, sizeof(*blobs));
	struct missing list = {.client = c, .store = s, .blobs = blobs};

	for (size_t i = 0; i < m->n_layers; i++) {
		const struct descriptor *d = &m->layers[i];
		bool listed = store_has(s, &d->digest, d->size);

		for (size_t k = 0; k < list.n && !listed; k++)
			listed = digest_equal(&blobs[k]->digest, &d->digest);
		if (!listed)
			blobs[list.n++] = d;
	}
	return parallel_run(c->o.pool, list.n, fetch_one, &list, err);
}

int registry_has_blob(struct registry_client *c, const struct image_ref *repo,
		      const struct descriptor *blob, bool *there, struct error *err)
{
	AUTO_FREE char *path = xstrfmt("/v2/%s/blobs/%s", repo->path, blob->digest.text);
	AUTO_FREE char *what = xstrfmt("look for blob %s in %s/%s", blob->digest.text, repo->host,
				       repo->path);
	AUTO(strlist) scopes = STRLIST_INIT;
	AUTO(http_response) res = {0};
	struct registry_request r = request_to_pull(c, repo, "HEAD", path, what, &scopes);

	if (registry_send(&r, &res, NULL, err) < 0)
		return -1;
	*there = res.status == 200;
	if (res.status == 200 || res.status == 404)
		return 0;
	return remote_error(err, what, repo->host, &res);
}

void registry_note_blob(struct registry_client *c, struct store *s, const struct image_ref *repo,
			const struct descriptor *blob)
{
	sources_add(c, s, &blob->digest, repo);
}
