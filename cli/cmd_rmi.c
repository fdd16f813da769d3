#include <stdio.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "cli/cmd.h"
#include "oci/image.h"
#include "oci/layout.h"
#include "oci/prune.h"

static const struct command_usage usage = {
	.name = "rmi",
	.args = "[OPTIONS] IMAGE...",
	.summary = "Remove images",
	.min_args = 1,
	.max_args = SIZE_MAX,
};

/* The entry, an index, that lists the image among its members, or NULL. */
static const struct descriptor *find_owner(struct store *s, const struct image_index *entries,
					   const struct digest *member)
{
	for (size_t i = 0; i < entries->n_manifests; i++) {
		const struct descriptor *d = &entries->manifests[i];
		AUTO(strbuf) text = STRBUF_INIT;
		AUTO(image_index) inner = {0};

		if (!media_is_index(d->media_type) ||
		    store_read_blob(s, &d->digest, d->size, &text, LIMIT_MANIFEST_BYTES, NULL) <
			    0 ||
		    image_index_parse(&inner, text.buf, text.len, d->media_type, d->digest.text,
				      NULL) < 0)
			continue;
		for (size_t k = 0; k < inner.n_manifests; k++)
			if (digest_equal(&inner.manifests[k].digest, member))
				return d;
	}
	return NULL;
}

static int refuse_member(struct store *s, const char *text, const struct image_index *entries,
			 const struct digest *member, struct error *err)
{
	const struct descriptor *owner = find_owner(s, entries, member);
	const char *name = owner ? strmap_get(&owner->annotations, ANNOTATION_REF_NAME) : NULL;

	error_set(err, ERROR_DENIED, "cannot remove %s: it is one platform of the image %s", text,
		  name    ? name
		  : owner ? owner->digest.text
			  : "that lists it");
	return error_hint(err, "remove that image as a whole");
}

/* Is it the image, or an index that "images" shows by the ID of this one? */
static bool stands_for(struct store *s, const struct descriptor *entry, const struct digest *image)
{
	AUTO_PTR(image) shown = NULL;

	return digest_equal(&entry->digest, image) ||
	       (media_is_index(entry->media_type) && image_load_any(&shown, s, entry, NULL) == 0 &&
		digest_equal(&shown->descriptor.digest, image));
}

static int remove_entries(struct app *a, const struct strlist *names,
			  const struct image_index *list, struct error *err)
{
	for (size_t i = 0; i < list->n_manifests; i++)
		if (layout_remove(a->store, &list->manifests[i].digest, err) < 0)
			return -1;
	for (size_t i = 0; i < names->n; i++)
		printf("Untagged: %s\n", names->items[i]);
	for (size_t i = 0; i < list->n_manifests; i++)
		printf("Deleted: %s\n", list->manifests[i].digest.text);
	return 0;
}

static bool has_entry(const struct image_index *list, const struct digest *d)
{
	for (size_t i = 0; i < list->n_manifests; i++)
		if (digest_equal(&list->manifests[i].digest, d))
			return true;
	return false;
}

static int remove_id(struct app *a, const char *text, bool force, struct error *err)
{
	AUTO(descriptor) found = {0};
	AUTO(image_index) index = {0};
	AUTO(image_index) chosen = {0};
	AUTO(strlist) names = STRLIST_INIT;

	if (layout_find_text(a->store, text, &found, err) < 0 ||
	    layout_read(a->store, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index.n_manifests; i++) {
		const struct descriptor *d = &index.manifests[i];
		const char *name = strmap_get(&d->annotations, ANNOTATION_REF_NAME);

		if (!stands_for(a->store, d, &found.digest))
			continue;
		if (name)
			strlist_add(&names, name);
		if (!has_entry(&chosen, &d->digest))
			image_index_add(&chosen, d);
	}
	if (!chosen.n_manifests)
		return refuse_member(a->store, text, &index, &found.digest, err);
	if (names.n > 1 && !force)
		return error_set(
			err, ERROR_DENIED,
			"cannot remove %s: %zu names point at it; remove them by name, or use -f",
			text, names.n);
	return remove_entries(a, &names, &chosen, err);
}

/* A name removes that name; the image goes with its last name. An ID removes the image when it has at most one name. */
static int remove_one(struct app *a, const char *text, bool force, struct error *err)
{
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) found = {0};
	AUTO_FREE char *familiar = NULL;
	struct digest target;
	bool gone;

	if (image_ref_parse(&ref, text, NULL) < 0 || digest_is_set(&ref.digest) ||
	    layout_find(a->store, &ref, &found, NULL) < 0)
		return remove_id(a, text, force, err);
	familiar = image_ref_familiar(&ref);
	if (layout_untag(a->store, &ref, &target, &gone, err) < 0)
		return -1;
	printf("Untagged: %s\n", familiar);
	if (gone)
		printf("Deleted: %s\n", target.text);
	return 0;
}

int cmd_rmi(struct app *a, int argc, char **argv, struct error *err)
{
	AUTO(strlist) args = STRLIST_INIT;
	bool force = false, failed = false;
	struct option options[] = {
		{'f', "force", OPTION_FLAG, NULL, "Remove an image by ID with all its names",
		 &force},
	};
	int parsed = options_parse(&usage, options, ARRAY_SIZE(options), argc, argv, &args, err);

	if (parsed != 0)
		return parsed < 0 ? -1 : 0;
	if (app_store(a, err) < 0)
		return -1;
	for (size_t i = 0; i < args.n; i++) {
		AUTO(error) why = ERROR_INIT;

		if (remove_one(a, args.items[i], force, &why) == 0)
			continue;
		fflush(stdout);
		app_print_error(a, &why);
		failed = true;
	}
	return failed;
}
