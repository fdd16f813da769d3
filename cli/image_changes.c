#include "cli/image_changes.h"

#include "deploy/image_diff.h"
#include "oci/layout.h"

/* Files, or folders, that are listed at most. */
#define FILE_LINES 20

static int fetch_documents(struct app *a, const struct image_ref *ref,
			   const struct platform *platform, struct image **out, struct error *err)
{
	AUTO(descriptor) top = {0};
	AUTO(descriptor) chosen = {0};

	if (app_registry(a, err) < 0 ||
	    registry_fetch_image(a->registry, a->store, ref, platform, &top, &chosen, err) < 0)
		return -1;
	return image_load(out, a->store, &chosen, platform, err);
}

int image_changes_find(struct app *a, const char *name, const struct platform *platform, bool fetch,
		       struct image **out, struct error *err)
{
	AUTO(image_ref) ref = {0};
	AUTO(descriptor) found = {0};
	const char *text = name;

	*out = NULL;
	if (app_store(a, err) < 0)
		return -1;
	if (image_ref_parse(&ref, name, NULL) == 0 && digest_is_set(&ref.digest))
		text = ref.digest.text;
	if (layout_find_text(a->store, text, &found, NULL) == 0 &&
	    (platform ? image_load(out, a->store, &found, platform, NULL)
		      : image_load_any(out, a->store, &found, NULL)) == 0)
		return 0;
	return fetch && ref.path ? fetch_documents(a, &ref, platform, out, err) : 0;
}

int image_changes_list(struct app *a, const struct image *old, const struct image *now,
		       struct strlist *out, struct error *err)
{
	AUTO(image_diff) diff = {.same = false};

	if (image_diff_read(&diff, a->store, old, now, FILE_LINES, err) < 0)
		return error_wrap(err, "compare the images");
	image_diff_lines(&diff, out);
	return 0;
}
