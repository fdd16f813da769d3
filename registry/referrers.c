#include "registry/referrers.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "registry/tag_index.h"

static int add_referrer(void *arg, struct image_index *index, bool *changed, struct error *err)
{
	const struct descriptor *d = arg;

	(void)err;
	for (size_t i = 0; i < index->n_manifests; i++) {
		if (digest_equal(&index->manifests[i].digest, &d->digest))
			return 0;
	}
	image_index_add(index, d);
	*changed = true;
	return 0;
}

/* The descriptor as the list has it: with the artifact's type and annotations. */
static int describe(const json_t *document, const struct descriptor *d, struct descriptor *out,
		    struct error *err)
{
	const json_t *config = json_object_get(document, "config");
	const char *type;

	descriptor_copy(out, d);
	if (json_opt_string(document, "artifactType", &type, d->digest.text, err) < 0 ||
	    (!type && json_is_object(config) &&
	     json_opt_string(config, "mediaType", &type, d->digest.text, err) < 0) ||
	    json_opt_strmap(document, "annotations", &out->annotations, d->digest.text, err) < 0)
		return -1;
	free(out->artifact_type);
	out->artifact_type = xstrdup_null(type);
	return 0;
}

int referrers_note(struct registry_client *c, const struct image_ref *ref,
		   const struct descriptor *d, const struct strbuf *text, struct error *err)
{
	AUTO(descriptor) referrer = {0};
	AUTO(descriptor) index = {0};
	AUTO(descriptor) subject = {0};
	AUTO_FREE char *tag = NULL;
	AUTO_JSON *document = NULL;
	const json_t *found;

	if (json_parse(&document, text->buf, text->len, d->digest.text, err) < 0)
		return -1;
	found = json_object_get(document, "subject");
	if (!found || json_is_null(found))
		return 0;
	if (descriptor_from_json(&subject, found, "subject", err) < 0 ||
	    describe(document, d, &referrer, err) < 0)
		return -1;
	tag = xstrdup(subject.digest.text);
	*strchr(tag, ':') = '-';
	/* A tag has 128 characters at most: longer digests are cut. */
	if (strlen(tag) > 128)
		tag[128] = '\0';
	if (tag_index_edit(c, ref, tag, add_referrer, &referrer, &index, err) < 0)
		return error_wrap(err, "list %s as one that refers to %s", d->digest.text,
				  subject.digest.text);
	return 0;
}
