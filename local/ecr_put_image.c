/* PutImage: the manifest of layers that are here, under a new tag (Amazon ECR API, "Retagging an image"). */
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "local/api_ecr.h"
#include "local/ecr_image.h"
#include "oci/lease.h"
#include "oci/reference.h"
#include "oci/repository.h"
#include "server/document.h"

struct put {
	struct api_call *call;
	const char *name, *tag; /* tag NULL: none */
	bool keeps_tags;        /* this tag is never moved */
	struct strbuf text;     /* a view of the manifest */
	struct digest digest;
	struct document doc;
};

static int read_input(struct put *p)
{
	struct api_call *c = p->call;
	const json_t *document = ecr_document(c, &p->name);
	const char *text, *type, *digest;
	AUTO(error) err = ERROR_INIT;

	if (!document || ecr_text(c, "imageManifest", &text) < 0 ||
	    api_text(c, "imageManifestMediaType", &type) < 0 ||
	    api_text(c, "imageTag", &p->tag) < 0 || api_text(c, "imageDigest", &digest) < 0)
		return -1;
	if (strlen(text) > LIMIT_PUSHED_MANIFEST)
		return ecr_bad_parameter(c, "imageManifest",
					 "Member must have length less than or equal to 4194304");
	if (p->tag && image_ref_check_tag(p->tag))
		return ecr_bad_parameter(
			c, "imageTag",
			"must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'");
	strbuf_puts(&p->text, text);
	p->digest = digest_of(text, strlen(text));
	if (digest && strcmp(digest, p->digest.text) != 0)
		return api_error(c, "ImageDigestDoesNotMatchException",
				 "The provided digest '%s' does not match the digest '%s' of the "
				 "manifest",
				 digest, p->digest.text);
	if (document_parse(&p->doc, &p->text, type, &p->digest, &err) < 0)
		return ecr_bad_parameter(c, "ImageManifest", err.message);
	p->keeps_tags = p->tag && ecr_document_keeps_tag(document, p->tag);
	return 0;
}

/* The digests that are not in the repository, "sha256:.., sha256:.."; free(). */
static char *missing(const struct put *p, bool manifests)
{
	struct store *s = p->call->local->store;
	AUTO(strlist) list = STRLIST_INIT;

	for (size_t i = 0; i < p->doc.index.n_manifests; i++) {
		const struct descriptor *d = &p->doc.index.manifests[i];
		AUTO(strbuf) type = STRBUF_INIT;

		if (document_is_manifest(d) == manifests &&
		    (manifests ? repository_manifest(s, p->name, &d->digest, &type, NULL) < 0
			       : !repository_has_blob(s, p->name, &d->digest)))
			strlist_add(&list, d->digest.text);
	}
	for (size_t i = 0; !manifests && i < p->doc.manifest.n_layers; i++)
		if (!repository_has_blob(s, p->name, &p->doc.manifest.layers[i].digest))
			strlist_add(&list, p->doc.manifest.layers[i].digest.text);
	if (!manifests && !p->doc.is_index &&
	    !repository_has_blob(s, p->name, &p->doc.manifest.config.digest))
		strlist_add(&list, p->doc.manifest.config.digest.text);
	return list.n ? strlist_join(&list, ", ") : NULL;
}

static int check_parts(const struct put *p)
{
	struct api_call *c = p->call;
	AUTO_FREE char *images = missing(p, true);
	AUTO_FREE char *layers = missing(p, false);

	if (!images && !layers)
		return 0;
	return api_error(
		c, images ? "ReferencedImagesNotFoundException" : "LayersNotFoundException",
		"%s with digests '[%s]' required for pushing image into repository with name '%s' "
		"in the registry with id '%s' do not exist",
		images ? "Images" : "Layers", images ? images : layers, p->name, c->account);
}

static int check_place(const struct put *p)
{
	struct api_call *c = p->call;
	struct store *s = c->local->store;
	AUTO(strbuf) type = STRBUF_INIT;
	struct digest now = {0};
	bool known = repository_manifest(s, p->name, &p->digest, &type, NULL) == 0;
	bool tagged = p->tag && repository_resolve(s, p->name, p->tag, &now, NULL) == 0;

	if (known && (!p->tag || (tagged && digest_equal(&now, &p->digest))))
		return api_error(c, "ImageAlreadyExistsException",
				 "Image with digest '%s' and tag '%s' already exists in the "
				 "repository with name '%s' in registry with id '%s'",
				 p->digest.text, p->tag ? p->tag : "null", p->name, c->account);
	if (tagged && p->keeps_tags)
		return api_error(c, "ImageTagAlreadyExistsException",
				 "The image tag '%s' already exists in the '%s' repository and "
				 "cannot be overwritten because the tag is immutable.",
				 p->tag, p->name);
	return 0;
}

static int link_all(const struct put *p, struct error *err)
{
	struct store *s = p->call->local->store;
	const struct document *doc = &p->doc;
	AUTO(descriptor) stored = {0};

	if (store_put(s, doc->media_type, p->text.buf, p->text.len, &stored, err) < 0 ||
	    repository_link_manifest(s, p->name, &p->digest, doc->media_type, err) < 0)
		return -1;
	if (digest_is_set(&doc->subject) &&
	    repository_add_referrer(s, p->name, &doc->subject, &p->digest, doc->descriptor.buf,
				    err) < 0)
		return -1;
	return p->tag ? repository_tag(s, p->name, p->tag, &p->digest, err) : 0;
}

static int put(const struct put *p)
{
	struct store *s = p->call->local->store;
	AUTO_PTR(lease) lease = NULL;
	AUTO(error) err = ERROR_INIT;
	AUTO_FD int lock = -1;

	if (lease_take(&lease, s, &err) < 0 || repository_lock(s, p->name, &lock, &err) < 0)
		return api_failure(p->call, &err);
	if (check_parts(p) < 0 || check_place(p) < 0)
		return -1;
	return link_all(p, &err) < 0 ? api_failure(p->call, &err) : 0;
}

static void answer(const struct put *p)
{
	struct api_call *c = p->call;
	json_t *id = json_pack("{s:s}", "imageDigest", p->digest.text);
	json_t *image = json_pack("{s:s, s:s, s:o, s:s}", "registryId", c->account,
				  "repositoryName", p->name, "imageId", id,
				  "imageManifestMediaType", p->doc.media_type);

	if (p->tag)
		json_object_set_new(id, "imageTag", json_text(p->tag));
	json_object_set_new(image, "imageManifest", json_text(p->text.buf));
	json_object_set_new(c->output, "image", image);
}

int ecr_put_image(struct api_call *c)
{
	struct put p = {.call = c, .text = STRBUF_INIT, .doc = {.descriptor = STRBUF_INIT}};
	int r = read_input(&p);

	if (r == 0) {
		/* A prune may be under way, which is waited for. */
		state_unlock(c->local->state);
		r = put(&p);
		state_lock(c->local->state);
	}
	if (r == 0)
		answer(&p);
	document_release(&p.doc);
	strbuf_release(&p.text);
	return r;
}
