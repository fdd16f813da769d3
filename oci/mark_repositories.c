/* What the repositories of the embedded registry show. */
#include "base/limits.h"
#include "oci/mark.h"
#include "oci/repository.h"

struct marking {
	struct mark *all;
	struct mark own; /* of this repository's manifests alone */
	struct store *store;
	const char *repository;
	const struct mark_stale *stale;
};

static int mark_manifest_link(void *arg, const struct digest *d, int64_t since, struct error *err)
{
	struct marking *m = arg;
	AUTO(strbuf) text = STRBUF_INIT;

	(void)since;
	if (store_read_blob(m->store, d, -1, &text, LIMIT_MANIFEST_BYTES, err) < 0)
		return error_wrap(err,
				  "a manifest of the repository %s cannot be read (slipway fsck "
				  "--repair takes it out)",
				  m->repository);
	mark_digest(&m->own, m->store, d);
	return 0;
}

/* Pushed, and no manifest says for what: it may be on its way. */
static int mark_blob_link(void *arg, const struct digest *d, int64_t since, struct error *err)
{
	struct marking *m = arg;

	if (!mark_has(&m->own, d) && m->stale && m->stale->is(m->stale->arg, since))
		return repository_unlink_blob(m->store, m->repository, d, err);
	strmap_set(&m->all->hex, digest_hex(d), NULL);
	return 0;
}

int mark_repositories(struct mark *m, struct store *s, const struct mark_stale *stale,
		      struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;
	int result = repository_list(s, &names, err);

	for (size_t i = 0; result == 0 && i < names.n; i++) {
		struct marking one = {
			.all = m, .store = s, .repository = names.items[i], .stale = stale};
		AUTO_FD int lock = -1;

		/* What is taken out below is there until then. */
		if (stale)
			result = repository_lock(s, names.items[i], &lock, err);
		if (result == 0)
			result = repository_each_link(s, names.items[i], "manifests",
						      mark_manifest_link, &one, err);
		for (size_t k = 0; k < one.own.hex.n; k++)
			strmap_set(&m->hex, one.own.hex.entries[k].key, NULL);
		if (result == 0)
			result = repository_each_link(s, names.items[i], "blobs", mark_blob_link,
						      &one, err);
		mark_release(&one.own);
	}
	return result;
}
