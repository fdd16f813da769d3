#include "oci/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/path.h"
#include "oci/image.h"
#include "oci/store_private.h"

/* An entry takes some 300 bytes: the limit on bytes is reached long before. */
#define LIMIT_OWN_ENTRIES 100000

static int read_index_at(int dirfd, const char *folder, size_t limit, struct image_index *out,
			 struct error *err)
{
	AUTO_FD int fd = openat(dirfd, "index.json", O_RDONLY | O_CLOEXEC);
	AUTO_FREE char *where = path_join(folder, "index.json");
	AUTO(strbuf) text = STRBUF_INIT;

	if (fd < 0 && errno == ENOENT)
		return error_set(err, ERROR_CORRUPT, "%s is missing", where);
	if (fd < 0)
		return error_errno(err, "open %s", where);
	if (fs_read_fd(fd, where, &text, LIMIT_MANIFEST_BYTES, err) < 0)
		return -1;
	return image_index_parse_limit(out, text.buf, text.len, MEDIA_OCI_INDEX, limit, where, err);
}

int layout_read(struct store *s, struct image_index *out, struct error *err)
{
	if (read_index_at(s->dirfd, s->root, LIMIT_OWN_ENTRIES, out, err) == 0)
		return 0;
	return error_hint(err, "slipway fsck --repair lists the images that are there anew");
}

int layout_read_folder(const char *folder, struct image_index *out, struct error *err)
{
	AUTO_FD int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool missing;

	if (dirfd < 0)
		return error_errno(err, "open the OCI layout %s", folder);
	if (store_check_layout(dirfd, folder, &missing, err) < 0)
		return -1;
	if (missing)
		return error_set(err, ERROR_NOT_FOUND,
				 "%s is not an OCI layout: it has no file oci-layout", folder);
	return read_index_at(dirfd, folder, LIMIT_INDEX_MANIFESTS, out, err);
}

bool layout_entry_ref(const struct descriptor *entry, struct image_ref *out)
{
	const char *full = strmap_get(&entry->annotations, ANNOTATION_IMAGE_NAME);
	const char *name = strmap_get(&entry->annotations, ANNOTATION_REF_NAME);

	if (full && image_ref_parse(out, full, NULL) == 0)
		return true;
	return name && image_ref_parse(out, name, NULL) == 0;
}

/* A name is host, path and tag; a digest counts only where there is no tag. */
static void name_of(struct image_ref *out, const struct image_ref *ref)
{
	image_ref_copy(out, ref);
	if (out->tag)
		memset(&out->digest, 0, sizeof(out->digest));
}

static bool entry_has_name(const struct descriptor *entry, const struct image_ref *name)
{
	AUTO(image_ref) ref = {0};

	return layout_entry_ref(entry, &ref) && image_ref_equal(&ref, name);
}

static bool is_unnamed(const struct descriptor *entry)
{
	AUTO(image_ref) ref = {0};

	return !layout_entry_ref(entry, &ref);
}

static const struct descriptor *find_name(const struct image_index *index,
					  const struct image_ref *name)
{
	for (size_t i = 0; i < index->n_manifests; i++)
		if (entry_has_name(&index->manifests[i], name))
			return &index->manifests[i];
	return NULL;
}

static const struct descriptor *find_digest(const struct image_index *index, const struct digest *d)
{
	for (size_t i = 0; i < index->n_manifests; i++)
		if (digest_equal(&index->manifests[i].digest, d))
			return &index->manifests[i];
	return NULL;
}

/* Looks for d among the members of the indexes that are listed. */
static bool find_member(struct store *s, const struct image_index *index, const struct digest *d,
			int depth, struct strmap *seen, struct descriptor *out)
{
	for (size_t i = 0; i < index->n_manifests && depth < LIMIT_INDEX_DEPTH; i++) {
		const struct descriptor *entry = &index->manifests[i];
		AUTO(image_index) inner = {0};
		AUTO(strbuf) text = STRBUF_INIT;

		if (!media_is_index(entry->media_type) || !digest_set_add(seen, &entry->digest) ||
		    store_read_blob(s, &entry->digest, entry->size, &text, LIMIT_MANIFEST_BYTES,
				    NULL) < 0 ||
		    image_index_parse(&inner, text.buf, text.len, entry->media_type,
				      entry->digest.text, NULL) < 0)
			continue;
		const struct descriptor *found = find_digest(&inner, d);

		if (found && store_has(s, d, found->size)) {
			descriptor_copy(out, found);
			return true;
		}
		if (find_member(s, &inner, d, depth + 1, seen, out))
			return true;
	}
	return false;
}

int layout_find(struct store *s, const struct image_ref *ref, struct descriptor *out,
		struct error *err)
{
	AUTO(image_index) index = {0};
	AUTO(strmap) seen = STRMAP_INIT;
	const struct descriptor *found;

	if (layout_read(s, &index, err) < 0)
		return -1;
	if (digest_is_set(&ref->digest)) {
		found = find_digest(&index, &ref->digest);
		if (!found && find_member(s, &index, &ref->digest, 0, &seen, out))
			return 0;
	} else {
		found = find_name(&index, ref);
	}
	if (!found) {
		AUTO_FREE char *name = image_ref_familiar(ref);

		return error_set(err, ERROR_NOT_FOUND, "image %s is not in the store %s", name,
				 s->root);
	}
	descriptor_copy(out, found);
	return 0;
}

static void trim_unnamed(struct image_index *index)
{
	size_t unnamed = 0;

	for (size_t i = 0; i < index->n_manifests; i++)
		unnamed += is_unnamed(&index->manifests[i]);
	for (size_t i = 0; unnamed > LAYOUT_UNNAMED;) {
		if (!is_unnamed(&index->manifests[i])) {
			i++;
			continue;
		}
		image_index_remove(index, i);
		unnamed--;
	}
}

static int write_index(struct store *s, const struct image_index *index, struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;

	/* What another process renamed into place and did not live to sync becomes durable before its name does. */
	if (fs_fsync_dir(s->dirfd, "blobs/sha256", err) < 0)
		return error_wrap(err, "write %s/index.json", s->root);
	image_index_write(index, &text);
	if (text.len > LIMIT_MANIFEST_BYTES)
		return error_set(err, ERROR_SYSTEM, "%s/index.json would grow beyond %u bytes",
				 s->root, LIMIT_MANIFEST_BYTES);
	return store_write_file(s, "index.json", text.buf, text.len, true, err);
}

int layout_edit(struct store *s, int (*fn)(void *arg, struct image_index *index, struct error *err),
		void *arg, struct error *err)
{
	AUTO(image_index) index = {0};
	AUTO_FD int lock = -1;

	if (store_lock(s, "index.lock", "changes the list of images", &lock, err) < 0 ||
	    layout_read(s, &index, err) < 0)
		return -1;
	int changed = fn(arg, &index, err);

	if (changed <= 0)
		return changed;
	trim_unnamed(&index);
	return write_index(s, &index, err);
}

/* The entry loses its name; it goes away when another entry lists the same digest. */
static void unname(struct image_index *index, size_t at)
{
	struct descriptor *entry = &index->manifests[at];

	for (size_t i = 0; i < index->n_manifests; i++)
		if (i != at && digest_equal(&index->manifests[i].digest, &entry->digest)) {
			image_index_remove(index, at);
			return;
		}
	strmap_remove(&entry->annotations, ANNOTATION_REF_NAME);
	strmap_remove(&entry->annotations, ANNOTATION_IMAGE_NAME);
}

struct tag_edit {
	const struct image_ref *name;
	const struct descriptor *target;
};

static int edit_tag(void *arg, struct image_index *index, struct error *err)
{
	const struct tag_edit *edit = arg;
	const struct descriptor *old = find_name(index, edit->name);
	AUTO_FREE char *familiar = image_ref_familiar(edit->name);
	AUTO_FREE char *full = image_ref_full(edit->name);
	AUTO(descriptor) entry = {0};

	(void)err;
	descriptor_copy(&entry, edit->target);
	strmap_set(&entry.annotations, ANNOTATION_REF_NAME, familiar);
	strmap_set(&entry.annotations, ANNOTATION_IMAGE_NAME, full);
	if (old && digest_equal(&old->digest, &entry.digest)) {
		if (strmap_equal(&old->annotations, &entry.annotations))
			return 0;
		image_index_remove(index, (size_t)(old - index->manifests));
		image_index_add(index, &entry);
		return 1;
	}
	if (old)
		unname(index, (size_t)(old - index->manifests));
	for (size_t i = 0; i < index->n_manifests; i++)
		if (digest_equal(&index->manifests[i].digest, &edit->target->digest) &&
		    is_unnamed(&index->manifests[i]))
			image_index_remove(index, i--);
	image_index_add(index, &entry);
	return 1;
}

static int check_target(struct store *s, const struct descriptor *d, struct error *err)
{
	if (store_has(s, &d->digest, d->size))
		return 0;
	return error_set(err, ERROR_NOT_FOUND,
			 "manifest %s is not in the store %s, so it cannot be listed",
			 d->digest.text, s->root);
}

int layout_tag(struct store *s, const struct image_ref *ref, const struct descriptor *d,
	       struct error *err)
{
	AUTO(image_ref) name = {0};
	struct tag_edit edit = {.name = &name, .target = d};

	name_of(&name, ref);
	AUTO_FREE char *familiar = image_ref_familiar(&name);

	if (check_target(s, d, err) < 0 || layout_edit(s, edit_tag, &edit, err) < 0)
		return error_wrap(err, "tag %s", familiar);
	return 0;
}

static int edit_add(void *arg, struct image_index *index, struct error *err)
{
	const struct descriptor *d = arg;
	AUTO(descriptor) entry = {0};

	(void)err;
	if (find_digest(index, &d->digest))
		return 0;
	descriptor_copy(&entry, d);
	strmap_remove(&entry.annotations, ANNOTATION_REF_NAME);
	strmap_remove(&entry.annotations, ANNOTATION_IMAGE_NAME);
	image_index_add(index, &entry);
	return 1;
}

int layout_add(struct store *s, const struct descriptor *d, struct error *err)
{
	struct descriptor view = *d;

	if (check_target(s, d, err) < 0)
		return -1;
	return layout_edit(s, edit_add, &view, err);
}

struct untag_edit {
	const struct image_ref *name;
	struct digest target;
	bool gone;
};

static int edit_untag(void *arg, struct image_index *index, struct error *err)
{
	struct untag_edit *edit = arg;
	const struct descriptor *found = find_name(index, edit->name);

	if (!found) {
		AUTO_FREE char *familiar = image_ref_familiar(edit->name);

		return error_set(err, ERROR_NOT_FOUND, "no image is named %s", familiar);
	}
	edit->target = found->digest;
	image_index_remove(index, (size_t)(found - index->manifests));
	edit->gone = find_digest(index, &edit->target) == NULL;
	return 1;
}

int layout_untag(struct store *s, const struct image_ref *ref, struct digest *target, bool *gone,
		 struct error *err)
{
	AUTO(image_ref) name = {0};
	struct untag_edit edit = {.name = &name};

	name_of(&name, ref);
	if (layout_edit(s, edit_untag, &edit, err) < 0)
		return -1;
	*target = edit.target;
	*gone = edit.gone;
	return 0;
}

static int edit_remove(void *arg, struct image_index *index, struct error *err)
{
	const struct digest *d = arg;
	size_t before = index->n_manifests;

	(void)err;
	for (size_t i = 0; i < index->n_manifests; i++)
		if (digest_equal(&index->manifests[i].digest, d))
			image_index_remove(index, i--);
	return index->n_manifests != before;
}

int layout_remove(struct store *s, const struct digest *d, struct error *err)
{
	struct digest id = *d;

	return layout_edit(s, edit_remove, &id, err);
}
