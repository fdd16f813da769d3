/* Repositories of the embedded registry: what they show must be there. */
#include "base/limits.h"
#include "oci/fsck_private.h"
#include "oci/manifest.h"
#include "oci/repository.h"

struct checking {
	struct fsck *fsck;
	const char *repository;
	struct digest subject; /* whose referrers are looked at */
};

static void check_part(const struct checking *c, const struct digest *of,
		       const struct descriptor *d)
{
	if (!store_has(c->fsck->store, &d->digest, d->size) && !media_is_foreign(d->media_type))
		fsck_problem(c->fsck, "repository %s: %s of manifest %s is missing; push it again",
			     c->repository, d->digest.text, of->text);
}

static void check_parts(const struct checking *c, const struct digest *d, const struct strbuf *text)
{
	AUTO(manifest) m = {0};
	AUTO(image_index) index = {0};

	if (manifest_parse(&m, text->buf, text->len, NULL, d->text, NULL) == 0) {
		check_part(c, d, &m.config);
		for (size_t i = 0; i < m.n_layers; i++)
			check_part(c, d, &m.layers[i]);
	} else if (image_index_parse(&index, text->buf, text->len, NULL, d->text, NULL) == 0) {
		for (size_t i = 0; i < index.n_manifests; i++)
			check_part(c, d, &index.manifests[i]);
	}
}

static int check_manifest(void *arg, const struct digest *d, int64_t since, struct error *err)
{
	const struct checking *c = arg;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) why = ERROR_INIT;

	(void)since;
	if (store_read_blob(c->fsck->store, d, -1, &text, LIMIT_MANIFEST_BYTES, &why) == 0) {
		check_parts(c, d, &text);
		return 0;
	}
	fsck_problem(c->fsck, "repository %s: manifest %s", c->repository, why.message);
	if (!c->fsck->repair)
		return 0;
	if (repository_unlink_manifest(c->fsck->store, c->repository, d, err) < 0)
		return -1;
	fsck_repaired(c->fsck, "it and its tags were taken out; push it again");
	return 0;
}

static int check_blob(void *arg, const struct digest *d, int64_t since, struct error *err)
{
	const struct checking *c = arg;

	(void)since;
	if (store_has(c->fsck->store, d, -1))
		return 0;
	fsck_problem(c->fsck, "repository %s: blob %s is missing", c->repository, d->text);
	if (!c->fsck->repair)
		return 0;
	if (repository_unlink_blob(c->fsck->store, c->repository, d, err) < 0)
		return -1;
	fsck_repaired(c->fsck, "its link was removed; push it again");
	return 0;
}

static int check_tags(const struct checking *c, struct error *err)
{
	struct store *s = c->fsck->store;
	AUTO(strlist) tags = STRLIST_INIT;

	if (repository_tags(s, c->repository, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.n; i++) {
		AUTO(strbuf) type = STRBUF_INIT;
		struct digest d;

		if (repository_resolve(s, c->repository, tags.items[i], &d, NULL) == 0 &&
		    repository_manifest(s, c->repository, &d, &type, NULL) == 0)
			continue;
		fsck_problem(c->fsck, "repository %s: tag %s leads nowhere", c->repository,
			     tags.items[i]);
		if (!c->fsck->repair)
			continue;
		if (repository_untag(s, c->repository, tags.items[i], err) < 0)
			return -1;
		fsck_repaired(c->fsck, "it was removed");
	}
	return 0;
}

static int check_referrer(void *arg, const struct digest *d, const char *text, struct error *err)
{
	const struct checking *c = arg;
	struct store *s = c->fsck->store;
	AUTO(strbuf) type = STRBUF_INIT;

	(void)text;
	if (repository_manifest(s, c->repository, d, &type, NULL) == 0)
		return 0;
	fsck_problem(c->fsck, "repository %s: %s, which refers to %s, is missing", c->repository,
		     d->text, c->subject.text);
	if (!c->fsck->repair)
		return 0;
	if (repository_remove_referrer(s, c->repository, &c->subject, d, err) < 0)
		return -1;
	fsck_repaired(c->fsck, "it is no longer listed");
	return 0;
}

static int check_referrers(struct checking *c, struct error *err)
{
	AUTO(strlist) subjects = STRLIST_INIT;

	if (repository_subjects(c->fsck->store, c->repository, &subjects, err) < 0)
		return -1;
	for (size_t i = 0; i < subjects.n; i++)
		if (digest_parse(&c->subject, subjects.items[i], err) < 0 ||
		    repository_each_referrer(c->fsck->store, c->repository, &c->subject, NULL,
					     check_referrer, c, err) < 0)
			return -1;
	return 0;
}

int fsck_repositories(struct fsck *f, struct error *err)
{
	AUTO(strlist) names = STRLIST_INIT;

	if (repository_list(f->store, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		struct checking c = {.fsck = f, .repository = names.items[i]};
		AUTO_FD int lock = -1;

		/* A registry may be at work: what it is changing is not mended. */
		if (f->repair && repository_lock(f->store, c.repository, &lock, err) < 0)
			return -1;
		if (repository_each_link(f->store, c.repository, "manifests", check_manifest, &c,
					 err) < 0 ||
		    repository_each_link(f->store, c.repository, "blobs", check_blob, &c, err) <
			    0 ||
		    check_tags(&c, err) < 0 || check_referrers(&c, err) < 0)
			return -1;
	}
	return 0;
}
