#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "registry/blobs.h"
#include "registry/manifests.h"
#include "registry/parallel.h"
#include "registry/referrers.h"
#include "registry/remote_error.h"

/* All that a manifest or index needs at the registry: each blob once, manifests in the order they are pushed. */
struct push_set {
	struct registry_client *client;
	struct store *store;
	const struct image_ref *ref;
	bool passes; /* blobs that are not here are only handed on */
	struct descriptor *blobs;
	size_t n_blobs, blobs_cap;
	struct descriptor *manifests; /* children before the index that lists them */
	size_t n_manifests, manifests_cap;
	struct descriptor *absent; /* children of indexes that were never pulled */
	size_t n_absent, absent_cap;
	pthread_mutex_t lock; /* result */
	struct push_result result;
};

static void release_all(struct descriptor *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		descriptor_release(&list[i]);
	free(list);
}

static void push_set_release(struct push_set *set)
{
	release_all(set->blobs, set->n_blobs);
	release_all(set->manifests, set->n_manifests);
	release_all(set->absent, set->n_absent);
}
CLEANUP_RELEASE(push_set)

static bool has_descriptor(const struct descriptor *list, size_t n, const struct digest *d)
{
	for (size_t i = 0; i < n; i++) {
		if (digest_equal(&list[i].digest, d))
			return true;
	}
	return false;
}

static void add_blob(struct push_set *set, const struct descriptor *d)
{
	if (blob_is_foreign(d) || has_descriptor(set->blobs, set->n_blobs, &d->digest))
		return;
	GROW(set->blobs, set->n_blobs + 1, set->blobs_cap);
	descriptor_copy(&set->blobs[set->n_blobs++], d);
}

static void add_manifest(struct push_set *set, const struct descriptor *d, const char *media_type)
{
	struct descriptor *slot;

	if (has_descriptor(set->manifests, set->n_manifests, &d->digest))
		return;
	GROW(set->manifests, set->n_manifests + 1, set->manifests_cap);
	slot = &set->manifests[set->n_manifests++];
	*slot = (struct descriptor){0};
	/* The type of the PUT is that of the document itself. */
	descriptor_set(slot, media_type, &d->digest, d->size);
}

static int collect(struct push_set *set, const struct descriptor *d, int depth, struct error *err);

static int collect_index(struct push_set *set, const struct descriptor *d,
			 const struct strbuf *text, const char *type, int depth, struct error *err)
{
	AUTO(image_index) index = {0};

	if (depth >= LIMIT_INDEX_DEPTH)
		return error_set(err, ERROR_CORRUPT, "index %s: indexes are nested deeper than %d",
				 d->digest.text, LIMIT_INDEX_DEPTH);
	if (image_index_parse(&index, text->buf, text->len, type, d->digest.text, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *child = &index.manifests[i];

		if (!store_has(set->store, &child->digest, child->size)) {
			GROW(set->absent, set->n_absent + 1, set->absent_cap);
			descriptor_copy(&set->absent[set->n_absent++], child);
		} else if (collect(set, child, depth + 1, err) < 0) {
			return -1;
		}
	}
	return 0;
}

static int collect(struct push_set *set, const struct descriptor *d, int depth, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(manifest) m = {0};
	AUTO_FREE char *type = NULL;

	if (has_descriptor(set->manifests, set->n_manifests, &d->digest))
		return 0;
	if (store_read_blob(set->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, err) <
		    0 ||
	    manifest_check(text.buf, text.len, d->media_type, d->digest.text, &type, err) < 0)
		return -1;
	if (manifest_is_index(text.buf, text.len, type)) {
		if (collect_index(set, d, &text, type, depth, err) < 0)
			return -1;
	} else {
		if (manifest_parse(&m, text.buf, text.len, type, d->digest.text, err) < 0)
			return -1;
		for (size_t i = 0; i < m.n_layers; i++)
			add_blob(set, &m.layers[i]);
		add_blob(set, &m.config);
	}
	add_manifest(set, d, type);
	return 0;
}

/*
 * An index of which only some platforms were pulled cannot be pushed whole. Where one is here, that one is pushed, as docker
 * does: its manifest stays the last of the set.
 */
static int choose_present(struct push_set *set, struct error *err)
{
	AUTO(strbuf) names = STRBUF_INIT;

	/* The index itself is the last. */
	if (set->n_manifests == 2 && !media_is_index(set->manifests[0].media_type)) {
		descriptor_release(&set->manifests[--set->n_manifests]);
		report_log(set->client->o.reporter, LOG_WARNING,
			   "only one platform of %s is here: it is pushed alone, without the index",
			   set->ref->path);
		return 0;
	}
	for (size_t i = 0; i < set->n_absent; i++) {
		const struct descriptor *d = &set->absent[i];
		AUTO_FREE char *platform = d->platform.os ? platform_format(&d->platform) : NULL;

		strbuf_printf(&names, "%s%s", i ? ", " : "", platform ? platform : d->digest.text);
	}
	error_set(err, ERROR_NOT_FOUND, "the index lists what is not in the store: %s", names.buf);
	return error_hint(err, "pull those platforms first (slipway pull --platform ..)");
}

/* ---- blobs --------------------------------------------------------------- */

static void count(struct push_result *out, const struct descriptor *d, enum upload_outcome outcome)
{
	switch (outcome) {
	case UPLOAD_DONE:
		out->uploaded++;
		out->bytes += (uint64_t)d->size;
		break;
	case UPLOAD_PRESENT:
		out->present++;
		break;
	case UPLOAD_MOUNTED:
		out->mounted++;
		break;
	}
}

static int push_with_step(const struct blob_job *job, enum upload_outcome *outcome,
			  struct error *err)
{
	struct reporter *reporter = job->client->o.reporter;
	enum step_status status = STEP_STATUS_DONE;
	AUTO_FREE char *from = NULL;

	if (blob_upload(job, outcome, &from, err) < 0) {
		status = err->kind == ERROR_CANCELLED ? STEP_STATUS_CANCELLED : STEP_STATUS_FAILED;
		report_step_end(reporter, job->step, status, err);
		return -1;
	}
	if (*outcome == UPLOAD_PRESENT)
		report_step_note(reporter, job->step, "already there");
	if (*outcome == UPLOAD_MOUNTED)
		report_step_note(reporter, job->step, "mounted from %s", from);
	if (*outcome != UPLOAD_DONE)
		status = STEP_STATUS_CACHED;
	report_step_end(reporter, job->step, status, NULL);
	return 0;
}

static int push_one(void *arg, size_t i, const atomic_bool *stop, struct error *err)
{
	struct push_set *set = arg;
	const struct descriptor *d = &set->blobs[i];
	struct blob_job job = {
		.client = set->client,
		.store = set->store,
		.repository = set->ref,
		.blob = d,
		.stop = stop,
		.passes = set->passes,
	};
	enum upload_outcome outcome;
	char id[24];

	digest_short(&d->digest, id);
	job.step = report_step_begin(set->client->o.reporter, "pushing %s %s",
				     media_is_config(d->media_type) ? "config" : "layer", id);
	if (push_with_step(&job, &outcome, err) < 0)
		return -1;
	pthread_mutex_lock(&set->lock);
	count(&set->result, d, outcome);
	pthread_mutex_unlock(&set->lock);
	return 0;
}

int registry_push_blob(struct registry_client *c, struct store *s, const struct image_ref *ref,
		       const struct descriptor *blob, int step, struct push_result *out,
		       struct error *err)
{
	struct blob_job job = {
		.client = c,
		.store = s,
		.repository = ref,
		.blob = blob,
		.step = step,
	};
	enum upload_outcome outcome;
	AUTO_FREE char *from = NULL;

	if (blob_upload(&job, &outcome, &from, err) < 0)
		return -1;
	if (from)
		report_step_note(c->o.reporter, step, "mounted from %s", from);
	count(out, blob, outcome);
	return 0;
}

/* ---- manifests ----------------------------------------------------------- */

static int push_manifest(struct push_set *set, const struct descriptor *d, const char *reference,
			 struct error *err)
{
	struct reporter *reporter = set->client->o.reporter;
	AUTO(strbuf) text = STRBUF_INIT;
	struct manifest_put put = {.reference = reference, .d = d, .text = &text};
	AUTO(error) why = ERROR_INIT;
	int step, rc;

	step = report_step_begin(reporter, "pushing manifest %s", reference);
	rc = store_read_blob(set->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, &why);
	put.step = step;
	if (rc == 0)
		rc = manifest_put(set->client, set->ref, &put, &why);
	if (rc == 0 && !put.subject_noted)
		rc = referrers_note(set->client, set->ref, d, &text, &why);
	report_step_end(reporter, step, rc == 0 ? STEP_STATUS_DONE : STEP_STATUS_FAILED,
			rc == 0 ? NULL : &why);
	return rc == 0 ? 0 : error_move(err, &why);
}

static int push_manifests(struct push_set *set, struct error *err)
{
	for (size_t i = 0; i < set->n_manifests; i++) {
		const struct descriptor *d = &set->manifests[i];
		bool last = i + 1 == set->n_manifests;
		const char *reference = last && set->ref->tag ? set->ref->tag : d->digest.text;

		if (push_manifest(set, d, reference, err) < 0)
			return -1;
	}
	return 0;
}

/* One HEAD tells that there is nothing to do: what a registry lists under a tag it has, with all its parts. */
static int is_pushed(struct push_set *set, const struct descriptor *top, bool *pushed,
		     struct error *err)
{
	const char *reference = set->ref->tag ? set->ref->tag : top->digest.text;
	AUTO(descriptor) now = {0};
	int status;

	if (manifest_head(set->client, set->ref, reference, RIGHT_PUSH, &now, &status, err) < 0)
		return -1;
	*pushed = status == 200 && digest_equal(&now.digest, &top->digest);
	/* A 403 may be for looking only; who is not known at all may not push either. */
	if (status == 401) {
		AUTO(http_response) refused = {.status = status};

		strbuf_init(&refused.body);
		return remote_error(err, "push", set->ref->host, &refused);
	}
	return 0;
}

static int push(struct push_set *set, const struct descriptor *d, struct error *err)
{
	const struct descriptor *top;
	bool pushed;

	if (digest_is_set(&set->ref->digest) && !digest_equal(&set->ref->digest, &d->digest))
		return error_set(err, ERROR_USAGE, "the image is %s, not the %s in the name",
				 d->digest.text, set->ref->digest.text);
	if (collect(set, d, 0, err) < 0)
		return -1;
	if (set->n_absent && choose_present(set, err) < 0)
		return -1;
	top = &set->manifests[set->n_manifests - 1];
	set->result.digest = top->digest;
	set->result.size = top->size;
	if (is_pushed(set, top, &pushed, err) < 0)
		return -1;
	if (pushed) {
		set->result.present = set->n_blobs;
		return 0;
	}
	if (parallel_run(set->client->o.pool, set->n_blobs, push_one, set, err) < 0)
		return -1;
	return push_manifests(set, err);
}

static int push_image(struct registry_client *c, struct store *s, const struct image_ref *ref,
		      const struct descriptor *d, bool passes, struct push_result *out,
		      struct error *err)
{
	AUTO(push_set) set = {.client = c, .store = s, .ref = ref, .passes = passes};
	int rc;

	pthread_mutex_init(&set.lock, NULL);
	rc = push(&set, d, err);
	pthread_mutex_destroy(&set.lock);
	*out = set.result;
	return rc;
}

int registry_push(struct registry_client *c, struct store *s, const struct image_ref *ref,
		  const struct descriptor *d, struct push_result *out, struct error *err)
{
	return push_image(c, s, ref, d, false, out, err);
}

int registry_hand_on(struct registry_client *c, struct store *s, const struct image_ref *ref,
		     const struct descriptor *d, struct push_result *out, struct error *err)
{
	return push_image(c, s, ref, d, true, out, err);
}
