/* Images out of foreign layout folders: BuildKit's, buildah's, skopeo's, or another store of ours. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "oci/layout.h"

struct import {
	struct store *store;
	const char *folder;
	int dirfd;
};

static int open_foreign(const struct import *im, const struct descriptor *d, int *fd,
			struct error *err)
{
	char path[STORE_BLOB_PATH];

	store_blob_path(&d->digest, path);
	AUTO_FD int opened = openat(im->dirfd, path, O_RDONLY | O_CLOEXEC);

	if (opened < 0 && errno == ENOENT)
		return error_set(err, ERROR_NOT_FOUND, "the OCI layout %s lacks blob %s",
				 im->folder, d->digest.text);
	if (opened < 0)
		return error_errno(err, "open %s/%s", im->folder, path);
	*fd = take_fd(opened);
	return 0;
}

/* A small document, digest and size verified. */
static int read_foreign(const struct import *im, const struct descriptor *d, struct strbuf *out,
			struct error *err)
{
	AUTO_FD int fd = -1;

	strbuf_reset(out);
	if (open_foreign(im, d, &fd, err) < 0 ||
	    fs_read_fd(fd, d->digest.text, out, LIMIT_MANIFEST_BYTES, err) < 0)
		return -1;
	AUTO(digester) digester;

	digester_init(&digester, &d->digest);
	digester_update(&digester, out->buf, out->len);
	struct digest got = digester_final(&digester);

	if ((int64_t)out->len != d->size || !digest_equal(&got, &d->digest))
		return error_set(
			err, ERROR_CORRUPT,
			"the OCI layout %s is damaged: blob %s has %zu bytes and the digest %s",
			im->folder, d->digest.text, out->len, got.text);
	return 0;
}

static int copy_into(const struct import *im, struct ingest *in, const struct descriptor *d,
		     struct error *err)
{
	AUTO_FD int fd = -1;

	if (ingest_size(in) > 0 && ingest_restart(in, err) < 0)
		return -1;
	if (open_foreign(im, d, &fd, err) < 0 || ingest_copy(in, fd, d->digest.text, err) < 0 ||
	    ingest_commit(in, NULL, d->size, err) < 0)
		return -1;
	return 0;
}

static int copy_blob(const struct import *im, const struct descriptor *d, struct error *err)
{
	AUTO_PTR(ingest) in = NULL;

	if (store_touch(im->store, &d->digest, d->size))
		return 0;
	if (ingest_begin(&in, im->store, &d->digest, err) < 0)
		return -1;
	if (ingest_is_present(in) || copy_into(im, in, d, err) == 0)
		return 0;
	/* A local copy is made anew, not continued: nothing is kept of it. */
	ingest_restart(in, NULL);
	return error_wrap(err, "import from %s", im->folder);
}

static bool is_image(const struct descriptor *d)
{
	bool is_attestation = d->platform.os && strcmp(d->platform.os, "unknown") == 0;

	return !d->artifact_type && !is_attestation &&
	       (media_is_manifest(d->media_type) || media_is_index(d->media_type));
}

/* How well an entry fits the wanted name: 3 letter by letter, 2 as the same reference, 1 as its tag alone. */
static int name_fits(const struct descriptor *d, const char *wanted)
{
	const char *names[] = {strmap_get(&d->annotations, ANNOTATION_REF_NAME),
			       strmap_get(&d->annotations, ANNOTATION_IMAGE_NAME)};
	AUTO(image_ref) want = {0};
	bool is_ref = image_ref_parse(&want, wanted, NULL) == 0;
	int best = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(image_ref) have = {0};
		int fit = 0;

		if (!names[i])
			continue;
		if (strcmp(names[i], wanted) == 0)
			fit = 3;
		else if (image_ref_parse(&have, names[i], NULL) < 0)
			fit = 0;
		else if (is_ref && image_ref_equal(&have, &want))
			fit = 2;
		else if (have.tag && strcmp(have.tag, wanted) == 0)
			fit = 1;
		best = fit > best ? fit : best;
	}
	return best;
}

static const struct descriptor *choose_name(const struct image_index *index, const char *wanted)
{
	const struct descriptor *found = NULL;
	int best = 0;

	for (size_t i = 0; i < index->n_manifests; i++) {
		int fit = is_image(&index->manifests[i]) ? name_fits(&index->manifests[i], wanted)
							 : 0;

		if (fit > best) {
			best = fit;
			found = &index->manifests[i];
		}
	}
	return found;
}

static const char *entry_name(const struct descriptor *d)
{
	const char *name = strmap_get(&d->annotations, ANNOTATION_REF_NAME);

	return name ? name : strmap_get(&d->annotations, ANNOTATION_IMAGE_NAME);
}

static char *list_names(const struct image_index *index)
{
	AUTO(strlist) names = STRLIST_INIT;

	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct descriptor *d = &index->manifests[i];

		if (is_image(d) && names.n < 20)
			strlist_add(&names, entry_name(d) ? entry_name(d) : d->digest.text);
	}
	return names.n ? strlist_join(&names, ", ") : xstrdup("none");
}

/* Without a name: the only image there is, or, where none is named, the one of the platform. */
static int choose_only(const struct import *im, const struct image_index *index,
		       const struct platform *platform, const struct descriptor **out,
		       struct error *err)
{
	const struct descriptor *first = NULL;
	bool several = false, named = false;

	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct descriptor *d = &index->manifests[i];

		if (!is_image(d))
			continue;
		named |= entry_name(d) != NULL;
		several |= first && !digest_equal(&first->digest, &d->digest);
		first = first ? first : d;
	}
	if (!first)
		return error_set(err, ERROR_NOT_FOUND, "the OCI layout %s holds no image",
				 im->folder);
	if (several && !named)
		return image_index_choose(index, platform, out, err);
	if (several) {
		AUTO_FREE char *names = list_names(index);

		return error_set(err, ERROR_USAGE,
				 "the OCI layout %s holds several images; name one of them: %s",
				 im->folder, names);
	}
	*out = first;
	return 0;
}

static int read_member_index(const struct import *im, const struct descriptor *d,
			     struct image_index *out, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	if (read_foreign(im, d, &text, err) < 0)
		return -1;
	return image_index_parse(out, text.buf, text.len, d->media_type, d->digest.text, err);
}

static bool find_digest(const struct import *im, const struct image_index *index,
			const struct digest *d, int depth, struct descriptor *out)
{
	for (size_t i = 0; i < index->n_manifests; i++) {
		const struct descriptor *entry = &index->manifests[i];
		AUTO(image_index) inner = {0};

		if (digest_equal(&entry->digest, d)) {
			descriptor_copy(out, entry);
			return true;
		}
		if (depth < LIMIT_INDEX_DEPTH && media_is_index(entry->media_type) &&
		    read_member_index(im, entry, &inner, NULL) == 0 &&
		    find_digest(im, &inner, d, depth + 1, out))
			return true;
	}
	return false;
}

static int choose(const struct import *im, const struct image_index *index, const char *ref_name,
		  const struct digest *digest, const struct platform *platform,
		  struct descriptor *out, struct error *err)
{
	const struct descriptor *found = NULL;

	if (digest && digest_is_set(digest)) {
		if (find_digest(im, index, digest, 0, out))
			return 0;
		return error_set(err, ERROR_NOT_FOUND, "the OCI layout %s has no image %s",
				 im->folder, digest->text);
	}
	if (ref_name) {
		found = choose_name(index, ref_name);
		if (!found) {
			AUTO_FREE char *names = list_names(index);

			return error_set(err, ERROR_NOT_FOUND,
					 "the OCI layout %s has no image named \"%s\"; it has: %s",
					 im->folder, ref_name, names);
		}
	} else if (choose_only(im, index, platform, &found, err) < 0) {
		return -1;
	}
	descriptor_copy(out, found);
	return 0;
}

/* From what was chosen through indexes to the manifest of the platform, whose bytes end up in text. */
static int walk_to_manifest(const struct import *im, const struct platform *platform,
			    struct descriptor *d, struct strbuf *text, struct error *err)
{
	for (int depth = 0; depth <= LIMIT_INDEX_DEPTH; depth++) {
		AUTO(image_index) index = {0};
		AUTO(descriptor) next = {0};
		const struct descriptor *chosen;

		if (read_foreign(im, d, text, err) < 0)
			return -1;
		if (!manifest_is_index(text->buf, text->len, d->media_type))
			return 0;
		if (image_index_parse(&index, text->buf, text->len, d->media_type, d->digest.text,
				      err) < 0)
			return -1;
		if (image_index_choose(&index, platform, &chosen, err) < 0)
			return error_wrap(err, "the OCI layout %s, index %s", im->folder,
					  d->digest.text);
		descriptor_copy(&next, chosen);
		descriptor_release(d);
		*d = next;
		memset(&next, 0, sizeof(next));
	}
	return error_set(err, ERROR_CORRUPT, "the OCI layout %s: indexes are nested deeper than %d",
			 im->folder, LIMIT_INDEX_DEPTH);
}

/* The manifest comes last: once it is there, so is all that was asked for. */
static int copy_image(const struct import *im, const struct descriptor *d,
		      const struct strbuf *text, bool layers, struct error *err)
{
	AUTO(manifest) m = {0};

	if (manifest_parse(&m, text->buf, text->len, d->media_type, d->digest.text, err) < 0)
		return -1;
	if (!media_is_config(m.config.media_type))
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s in the OCI layout %s is not a container image: its config is "
				 "of type %s",
				 d->digest.text, im->folder, m.config.media_type);
	if (copy_blob(im, &m.config, err) < 0)
		return -1;
	for (size_t i = 0; layers && i < m.n_layers; i++)
		if (copy_blob(im, &m.layers[i], err) < 0)
			return -1;
	return copy_blob(im, d, err);
}

static int import(struct store *s, const char *folder, const char *ref_name,
		  const struct digest *digest, const struct platform *platform, bool layers,
		  struct descriptor *out, struct error *err)
{
	AUTO_FD int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct import im = {.store = s, .folder = folder, .dirfd = dirfd};
	AUTO(image_index) index = {0};
	AUTO(platform) host = {0};
	AUTO(descriptor) d = {0};
	AUTO(strbuf) text = STRBUF_INIT;

	platform_host(&host);
	platform = platform ? platform : &host;
	if (layout_read_folder(folder, &index, err) < 0)
		return -1;
	if (dirfd < 0)
		return error_errno(err, "open the OCI layout %s", folder);
	if (choose(&im, &index, ref_name, digest, platform, &d, err) < 0 ||
	    walk_to_manifest(&im, platform, &d, &text, err) < 0 ||
	    copy_image(&im, &d, &text, layers, err) < 0)
		return -1;
	strmap_remove(&d.annotations, ANNOTATION_REF_NAME);
	strmap_remove(&d.annotations, ANNOTATION_IMAGE_NAME);
	*out = d;
	memset(&d, 0, sizeof(d));
	return 0;
}

int layout_import(struct store *s, const char *folder, const char *ref_name,
		  const struct digest *digest, const struct platform *platform,
		  struct descriptor *out, struct error *err)
{
	return import(s, folder, ref_name, digest, platform, true, out, err);
}

int layout_import_documents(struct store *s, const char *folder, const char *ref_name,
			    const struct digest *digest, const struct platform *platform,
			    struct descriptor *out, struct error *err)
{
	return import(s, folder, ref_name, digest, platform, false, out, err);
}

int layout_import_blob(struct store *s, const char *folder, const struct descriptor *blob,
		       struct error *err)
{
	AUTO_FD int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct import im = {.store = s, .folder = folder, .dirfd = dirfd};

	if (dirfd < 0)
		return error_errno(err, "open the OCI layout %s", folder);
	return copy_blob(&im, blob, err);
}
