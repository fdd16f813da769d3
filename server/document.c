#include "server/document.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/repository.h"

void document_release(struct document *doc)
{
	if (!doc)
		return;
	manifest_release(&doc->manifest);
	image_index_release(&doc->index);
	strbuf_release(&doc->descriptor);
}

/* distribution-spec 1.1, Listing Referrers: artifactType is the manifest's, else the media type of its config. */
static void write_descriptor(struct document *doc, const json_t *j, const struct digest *d,
			     int64_t size)
{
	const char *type = json_string_value(json_object_get(j, "artifactType"));
	json_t *annotations = json_object_get(j, "annotations");
	AUTO_JSON *out = json_object();

	if ((!type || !*type) && !doc->is_index)
		type = doc->manifest.config.media_type;
	json_object_set_new(out, "mediaType", json_text(doc->media_type));
	json_object_set_new(out, "digest", json_text(d->text));
	json_object_set_new(out, "size", json_integer(size));
	if (annotations && json_object_size(annotations))
		json_object_set(out, "annotations", annotations);
	if (type && *type)
		json_object_set_new(out, "artifactType", json_text(type));
	json_write(out, &doc->descriptor);
}

static int read_subject(const json_t *j, struct digest *out, struct error *err)
{
	json_t *subject = json_object_get(j, "subject");
	AUTO(descriptor) d = {0};

	if (!subject || json_is_null(subject))
		return 0;
	if (descriptor_from_json(&d, subject, "the manifest's subject", err) < 0)
		return -1;
	*out = d.digest;
	return 0;
}

int document_parse(struct document *out, const struct strbuf *text, const char *type,
		   const struct digest *d, struct error *err)
{
	static const char where[] = "the manifest";
	AUTO(document) doc = {.descriptor = STRBUF_INIT};
	AUTO_JSON *j = NULL;

	doc.is_index = manifest_is_index(text->buf, text->len, type);
	if ((doc.is_index
		     ? image_index_parse(&doc.index, text->buf, text->len, type, where, err)
		     : manifest_parse(&doc.manifest, text->buf, text->len, type, where, err)) < 0)
		return -1;
	doc.media_type = doc.is_index ? doc.index.media_type : doc.manifest.media_type;
	if (json_parse(&j, text->buf, text->len, where, err) < 0 ||
	    read_subject(j, &doc.subject, err) < 0)
		return -1;
	doc.says_type = json_object_get(j, "mediaType") != NULL;
	doc.is_artifact = json_object_get(j, "artifactType") != NULL;
	write_descriptor(&doc, j, d, (int64_t)text->len);
	*out = doc;
	memset(&doc, 0, sizeof(doc));
	strbuf_init(&doc.descriptor);
	return 0;
}

bool document_is_manifest(const struct descriptor *d)
{
	return media_is_manifest(d->media_type) || media_is_index(d->media_type);
}

bool document_subject(const struct strbuf *text, struct digest *subject)
{
	AUTO_JSON *j = NULL;

	memset(subject, 0, sizeof(*subject));
	return json_parse(&j, text->buf, text->len, "manifest", NULL) == 0 &&
	       read_subject(j, subject, NULL) == 0 && digest_is_set(subject);
}

/* Takes the entry out of the list of its subject's referrers. */
static int forget_referrer(struct store *s, const char *repository, const struct digest *d,
			   struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct digest subject;

	if (store_read_blob(s, d, -1, &text, LIMIT_MANIFEST_BYTES, NULL) < 0 ||
	    !document_subject(&text, &subject))
		return 0;
	return repository_remove_referrer(s, repository, &subject, d, err);
}

int document_unlink(struct store *s, const char *repository, const struct digest *d,
		    struct error *err)
{
	if (forget_referrer(s, repository, d, err) < 0)
		return -1;
	return repository_unlink_manifest(s, repository, d, err);
}
