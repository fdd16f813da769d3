/*
 * Images that different machines push, as one index. A put of an index replaces what somebody else has put since it was read, and
 * few registries know a condition for it. So each image has a tag of its own, put before the index; whoever puts the index looks
 * at the tags afterwards, and puts it again when one is missing. The last one to put it therefore sees them all.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/image.h"
#include "registry/blobs.h"
#include "registry/documents.h"
#include "registry/tag_index.h"

#define ATTESTED "vnd.docker.reference.digest"

/* Systems that an image can be for: what else follows the tag belongs to another name. */
static const char *const SYSTEMS[] = {"linux", "windows", "darwin", "freebsd", "netbsd", "openbsd"};

/* Looked for where tags are not listed. */
static const char *const COMMON[] = {
	"linux-amd64",   "linux-arm64", "linux-arm-v7",  "linux-arm-v6",  "linux-386",
	"linux-ppc64le", "linux-s390x", "linux-riscv64", "windows-amd64",
};

struct merge {
	struct registry_client *client;
	struct store *store;
	const struct image_ref *ref;
	struct image_index own; /* of the images given here */
	struct strlist own_tags;
	struct image_index *result;
};

static void merge_release(struct merge *m)
{
	image_index_release(&m->own);
	strlist_release(&m->own_tags);
}
CLEANUP_RELEASE(merge)

static bool is_image(const struct descriptor *d)
{
	return d->platform.os && strcmp(d->platform.os, "unknown") != 0 && d->platform.arch &&
	       !d->artifact_type;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_platform(const struct platform *a, const struct platform *b)
{
	AUTO(platform) x = {0};
	AUTO(platform) y = {0};

	platform_copy(&x, a);
	platform_copy(&y, b);
	platform_normalize(&x);
	platform_normalize(&y);
	return same_text(x.os, y.os) && same_text(x.arch, y.arch) &&
	       same_text(x.variant, y.variant) && same_text(x.os_version, y.os_version);
}

/* "1.2-linux-arm-v7"; free() */
static char *tag_of(const char *tag, const struct platform *p)
{
	const char *last = p->variant ? p->variant : p->os_version;

	return xstrfmt("%s-%s-%s%s%s", tag, p->os, p->arch, last ? "-" : "", last ? last : "");
}

/* ---- what is in an image ------------------------------------------------- */

/* The platform of a manifest whose descriptor does not tell it. Of an image of a registry the manifest alone is here. */
static int add_manifest(const struct merge *m, const struct descriptor *d, struct image_index *out,
			struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(manifest) manifest = {0};
	AUTO(descriptor) entry = {0};
	AUTO_PTR(image) image = NULL;

	if (store_read_blob(m->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, err) < 0 ||
	    manifest_parse(&manifest, text.buf, text.len, d->media_type, d->digest.text, err) < 0)
		return -1;
	if (registry_fetch_known(m->client, m->store, &manifest.config, 0, err) < 0)
		return error_wrap(err, "config of image %s", d->digest.text);
	if (image_load(&image, m->store, d, NULL, err) < 0)
		return -1;
	if (!image->config.platform.os || !image->config.platform.arch)
		return error_set(err, ERROR_USAGE,
				 "%s does not tell its platform, which an index goes by",
				 d->digest.text);
	descriptor_set(&entry, d->media_type, &d->digest, d->size);
	platform_release(&entry.platform);
	platform_copy(&entry.platform, &image->config.platform);
	image_index_add(out, &entry);
	return 0;
}

/* The images of a document in the store, with the attestations that an index lists. */
static int add_entries(const struct merge *m, const struct descriptor *d, int depth,
		       struct image_index *out, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(image_index) index = {0};

	if (!media_is_index(d->media_type))
		return add_manifest(m, d, out, err);
	if (depth >= LIMIT_INDEX_DEPTH)
		return error_set(err, ERROR_CORRUPT, "index %s: indexes are nested deeper than %d",
				 d->digest.text, LIMIT_INDEX_DEPTH);
	if (store_read_blob(m->store, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, err) < 0 ||
	    image_index_parse(&index, text.buf, text.len, d->media_type, d->digest.text, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *child = &index.manifests[i];

		if (media_is_index(child->media_type)) {
			if (add_entries(m, child, depth + 1, out, err) < 0)
				return -1;
		} else if (child->platform.os) {
			image_index_add(out, child);
		} else if (add_manifest(m, child, out, err) < 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- one index into another ---------------------------------------------- */

static bool attests(const struct descriptor *d, const struct digest *image)
{
	const char *subject = strmap_get(&d->annotations, ATTESTED);

	return subject && strcmp(subject, image->text) == 0;
}

static void remove_attestations(struct image_index *index, const struct digest *image)
{
	for (size_t i = index->n_manifests; i-- > 0;) {
		if (attests(&index->manifests[i], image))
			image_index_remove(index, i);
	}
}

static bool has(const struct image_index *index, const struct digest *d)
{
	for (size_t i = 0; i < index->n_manifests; i++) {
		if (digest_equal(&index->manifests[i].digest, d))
			return true;
	}
	return false;
}

/* One image and what attests it, in the place of the platform's former one. True when that changed something. */
static bool place_image(struct image_index *index, const struct image_index *from,
			const struct descriptor *image)
{
	bool changed = false, kept = false;

	for (size_t i = index->n_manifests; i-- > 0;) {
		struct descriptor *old = &index->manifests[i];
		struct digest digest = old->digest;

		if (!is_image(old) || !same_platform(&old->platform, &image->platform))
			continue;
		if (!kept && digest_equal(&old->digest, &image->digest)) {
			kept = true;
			continue;
		}
		image_index_remove(index, i);
		remove_attestations(index, &digest);
		/* What went was anywhere: look again from the end. */
		i = index->n_manifests;
		kept = false;
		changed = true;
	}
	if (!kept)
		image_index_add(index, image);
	changed |= !kept;
	for (size_t i = 0; i < from->n_manifests; i++) {
		const struct descriptor *d = &from->manifests[i];

		if (attests(d, &image->digest) && !has(index, &d->digest)) {
			image_index_add(index, d);
			changed = true;
		}
	}
	return changed;
}

/* ---- the tags of images -------------------------------------------------- */

static bool may_be_ours(const struct merge *m, const char *tag)
{
	size_t len = strlen(m->ref->tag);

	if (strncmp(tag, m->ref->tag, len) != 0 || tag[len] != '-')
		return false;
	for (size_t i = 0; i < sizeof(SYSTEMS) / sizeof(SYSTEMS[0]); i++) {
		size_t n = strlen(SYSTEMS[i]);

		if (strncmp(tag + len + 1, SYSTEMS[i], n) == 0 && tag[len + 1 + n] == '-')
			return true;
	}
	return false;
}

static int find_tags(const struct merge *m, struct strlist *out, struct error *err)
{
	AUTO(strlist) all = STRLIST_INIT;
	AUTO(error) why = ERROR_INIT;

	strlist_copy(out, &m->own_tags);
	if (registry_tags(m->client, m->ref, &all, &why) < 0) {
		if (why.kind == ERROR_CANCELLED || why.kind == ERROR_NETWORK)
			return error_move(err, &why);
		/* Not everybody may list: ECR has a right of its own for it. */
		report_log(m->client->o.reporter, LOG_DEBUG, "%s; usual tags are tried",
			   why.message);
		for (size_t i = 0; i < sizeof(COMMON) / sizeof(COMMON[0]); i++)
			strlist_addf(&all, "%s-%s", m->ref->tag, COMMON[i]);
	}
	for (size_t i = 0; i < all.n; i++) {
		if (may_be_ours(m, all.items[i]) && !strlist_has(out, all.items[i]))
			strlist_add(out, all.items[i]);
	}
	return 0;
}

/* The documents that tell what a tag's image is, into the store. */
static int fetch_described(const struct merge *m, const struct digest *digest,
			   struct descriptor *top, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(manifest) manifest = {0};

	if (documents_fetch(m->client, m->store, m->ref, digest, top, &text, err) < 0)
		return -1;
	if (media_is_index(top->media_type))
		return 0;
	if (manifest_parse(&manifest, text.buf, text.len, top->media_type, digest->text, err) < 0)
		return -1;
	return registry_fetch_blob(m->client, m->store, m->ref, &manifest.config, 0, err);
}

static int merge_tag(const struct merge *m, const char *tag, struct image_index *index,
		     bool *changed, struct error *err)
{
	AUTO(descriptor) now = {0};
	AUTO(descriptor) top = {0};
	AUTO(image_index) found = {0};
	AUTO(error) why = ERROR_INIT;
	int status;

	if (manifest_head(m->client, m->ref, tag, RIGHT_PULL, &now, &status, err) < 0)
		return -1;
	if (status != 200 || !digest_is_set(&now.digest) || has(index, &now.digest))
		return 0;
	/* A tag by chance, of something that is no image, is none of ours. */
	if (fetch_described(m, &now.digest, &top, &why) < 0 ||
	    add_entries(m, &top, 0, &found, &why) < 0) {
		if (why.kind == ERROR_CANCELLED || why.kind == ERROR_NETWORK)
			return error_move(err, &why);
		report_log(m->client->o.reporter, LOG_DEBUG, "tag %s: %s", tag, why.message);
		return 0;
	}
	for (size_t i = 0; i < found.n_manifests; i++) {
		const struct descriptor *d = &found.manifests[i];
		AUTO_FREE char *expected = is_image(d) ? tag_of(m->ref->tag, &d->platform) : NULL;

		if (expected && strcmp(expected, tag) == 0)
			*changed |= place_image(index, &found, d);
	}
	return 0;
}

/* The index as it should be: with the image of every tag, which is newer than the index where they differ. */
static int edit(void *arg, struct image_index *index, bool *changed, struct error *err)
{
	const struct merge *m = arg;
	AUTO(strlist) tags = STRLIST_INIT;

	if (find_tags(m, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.n; i++) {
		if (merge_tag(m, tags.items[i], index, changed, err) < 0)
			return -1;
	}
	image_index_release(m->result);
	*m->result = (struct image_index){0};
	for (size_t i = 0; i < index->n_manifests; i++)
		image_index_add(m->result, &index->manifests[i]);
	return 0;
}

/* ---- the whole ----------------------------------------------------------- */

/* The tag of the image's own; NULL for what is none. */
static int read_tag(const struct merge *m, const struct descriptor *d, char **out,
		    struct error *err)
{
	const char *why;

	*out = is_image(d) ? tag_of(m->ref->tag, &d->platform) : NULL;
	why = *out ? image_ref_check_tag(*out) : NULL;
	if (why)
		return error_set(err, ERROR_USAGE, "%s is no tag: %s", *out, why);
	if (*out && strlist_has(&m->own_tags, *out))
		return error_set(err, ERROR_USAGE, "two of the images are for %s",
				 *out + strlen(m->ref->tag) + 1);
	return 0;
}

/* The images of a document, with the tags that they will have: before anything is put. */
static int read_image(struct merge *m, const struct descriptor *top, struct error *err)
{
	AUTO(image_index) entries = {0};

	if (add_entries(m, top, 0, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.n_manifests; i++) {
		AUTO_FREE char *tag = NULL;

		if (read_tag(m, &entries.manifests[i], &tag, err) < 0)
			return -1;
		if (!tag)
			continue;
		strlist_add(&m->own_tags, tag);
		place_image(&m->own, &entries, &entries.manifests[i]);
	}
	return 0;
}

/* The document under the tag of one of its platforms. */
static int push_image(const struct merge *m, char *tag, const struct descriptor *top,
		      struct error *err)
{
	const struct image_ref child = {.host = m->ref->host, .path = m->ref->path, .tag = tag};
	struct push_result result;

	if (registry_push(m->client, m->store, &child, top, &result, err) < 0)
		return -1;
	if (!digest_equal(&result.digest, &top->digest))
		return error_set(err, ERROR_NOT_FOUND,
				 "%s lists images that are not in the store: pull it with "
				 "all platforms, or give its platforms one by one",
				 top->digest.text);
	return 0;
}

int registry_index(struct registry_client *c, struct store *s, const struct image_ref *ref,
		   const struct descriptor *images, size_t n, bool create, struct descriptor *out,
		   struct image_index *index, struct error *err)
{
	AUTO(merge) m = {.client = c, .store = s, .ref = ref, .result = index};
	AUTO_FREE size_t *ends = xcalloc(n, sizeof(*ends)); /* of each image's own tags */

	/* What is refused is refused before anything is put. */
	if (!create && tag_index_check(c, ref, ref->tag, err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (read_image(&m, &images[i], err) < 0)
			return -1;
		ends[i] = m.own_tags.n;
	}
	for (size_t i = 0, tag = 0; i < n; i++) {
		for (; tag < ends[i]; tag++)
			if (push_image(&m, m.own_tags.items[tag], &images[i], err) < 0)
				return -1;
	}
	if (!create)
		return tag_index_edit(c, ref, ref->tag, edit, &m, out, err);
	image_index_release(index);
	*index = m.own;
	m.own = (struct image_index){0};
	return tag_index_put(c, ref, ref->tag, index, out, err);
}
