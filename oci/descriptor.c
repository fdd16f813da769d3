#include "oci/descriptor.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

#define FOREIGN_OCI_PREFIX "application/vnd.oci.image.layer.nondistributable.v1.tar"
#define DOCKER_FOREIGN     "application/vnd.docker.image.rootfs.foreign.diff.tar"

void descriptor_release(struct descriptor *d)
{
	if (!d)
		return;
	free(d->media_type);
	free(d->artifact_type);
	platform_release(&d->platform);
	strmap_release(&d->annotations);
	strlist_release(&d->urls);
	memset(d, 0, sizeof(*d));
}

void descriptor_copy(struct descriptor *dst, const struct descriptor *src)
{
	struct descriptor copy = {
		.media_type = xstrdup_null(src->media_type),
		.digest = src->digest,
		.size = src->size,
		.artifact_type = xstrdup_null(src->artifact_type),
	};

	platform_copy(&copy.platform, &src->platform);
	strmap_copy(&copy.annotations, &src->annotations);
	strlist_copy(&copy.urls, &src->urls);
	*dst = copy;
}

void descriptor_set(struct descriptor *d, const char *media_type, const struct digest *digest,
		    int64_t size)
{
	char *type = xstrdup_null(media_type);
	struct digest id = *digest;

	descriptor_release(d);
	d->media_type = type;
	d->digest = id;
	d->size = size;
}

static int platform_from_json(struct platform *p, const json_t *j, const char *where,
			      struct error *err)
{
	if (!j || json_is_null(j))
		return 0;
	if (!json_is_object(j))
		return error_set(err, ERROR_CORRUPT, "%s: \"platform\" is not an object", where);
	if (json_opt_text(j, "os", &p->os, where, err) < 0 ||
	    json_opt_text(j, "architecture", &p->arch, where, err) < 0 ||
	    json_opt_text(j, "variant", &p->variant, where, err) < 0)
		return -1;
	return json_opt_text(j, "os.version", &p->os_version, where, err);
}

int descriptor_from_json(struct descriptor *out, const json_t *j, const char *where,
			 struct error *err)
{
	AUTO(descriptor) d = {0};
	AUTO(error) bad = ERROR_INIT;
	const char *media_type, *digest;

	if (!json_is_object(j))
		return error_set(err, ERROR_CORRUPT, "%s: a descriptor is not an object", where);
	if (json_get_string(j, "mediaType", &media_type, where, err) < 0 ||
	    json_get_string(j, "digest", &digest, where, err) < 0 ||
	    json_get_int(j, "size", &d.size, where, err) < 0)
		return -1;
	if (digest_parse(&d.digest, digest, &bad) < 0)
		return error_set(err, ERROR_CORRUPT, "%s: %s", where, bad.message);
	if (d.size < 0 || d.size > LIMIT_BLOB_BYTES)
		return error_set(err, ERROR_CORRUPT, "%s: %s has the impossible size %lld", where,
				 d.digest.text, (long long)d.size);
	d.media_type = xstrdup(media_type);
	if (platform_from_json(&d.platform, json_object_get(j, "platform"), where, err) < 0 ||
	    json_opt_text(j, "artifactType", &d.artifact_type, where, err) < 0 ||
	    json_opt_strmap(j, "annotations", &d.annotations, where, err) < 0 ||
	    json_opt_strlist(j, "urls", &d.urls, where, err) < 0)
		return -1;
	*out = d;
	memset(&d, 0, sizeof(d));
	return 0;
}

static void set_text(json_t *j, const char *key, const char *value)
{
	if (value)
		json_object_set_new(j, key, json_text(value));
}

static json_t *platform_to_json(const struct platform *p)
{
	json_t *j = json_object();

	set_text(j, "architecture", p->arch);
	set_text(j, "os", p->os);
	set_text(j, "os.version", p->os_version);
	set_text(j, "variant", p->variant);
	return j;
}

json_t *descriptor_to_json(const struct descriptor *d)
{
	json_t *j = json_object();

	set_text(j, "mediaType", d->media_type);
	set_text(j, "digest", d->digest.text);
	json_object_set_new(j, "size", json_integer(d->size));
	if (d->urls.n)
		json_object_set_new(j, "urls", json_from_strlist(&d->urls));
	if (d->annotations.n)
		json_object_set_new(j, "annotations", json_from_strmap(&d->annotations, true));
	if (d->platform.os || d->platform.arch)
		json_object_set_new(j, "platform", platform_to_json(&d->platform));
	set_text(j, "artifactType", d->artifact_type);
	return j;
}

static bool is_any(const char *media_type, const char *a, const char *b)
{
	return media_type && (strcmp(media_type, a) == 0 || strcmp(media_type, b) == 0);
}

bool media_is_index(const char *media_type)
{
	return is_any(media_type, MEDIA_OCI_INDEX, MEDIA_DOCKER_LIST);
}

bool media_is_manifest(const char *media_type)
{
	return is_any(media_type, MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST);
}

bool media_is_config(const char *media_type)
{
	return is_any(media_type, MEDIA_OCI_CONFIG, MEDIA_DOCKER_CONFIG);
}

bool media_is_foreign(const char *media_type)
{
	return str_starts(media_type, FOREIGN_OCI_PREFIX) || str_starts(media_type, DOCKER_FOREIGN);
}

bool media_is_layer(const char *media_type)
{
	static const char *const families[] = {MEDIA_OCI_LAYER, FOREIGN_OCI_PREFIX,
					       MEDIA_DOCKER_LAYER, DOCKER_FOREIGN};
	static const char *const suffixes[] = {"", "+gzip", "+zstd", ".gzip", ".zstd"};

	for (size_t i = 0; media_type && i < ARRAY_SIZE(families); i++) {
		size_t n = strlen(families[i]);

		if (strncmp(media_type, families[i], n) != 0)
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(suffixes); k++)
			if (strcmp(media_type + n, suffixes[k]) == 0)
				return true;
	}
	return false;
}

const char *media_to_oci(const char *media_type)
{
	static const char *const pairs[][2] = {
		{MEDIA_DOCKER_MANIFEST, MEDIA_OCI_MANIFEST},
		{MEDIA_DOCKER_LIST, MEDIA_OCI_INDEX},
		{MEDIA_DOCKER_CONFIG, MEDIA_OCI_CONFIG},
		{MEDIA_DOCKER_LAYER, MEDIA_OCI_LAYER},
		{MEDIA_DOCKER_LAYER_GZIP, MEDIA_OCI_LAYER_GZIP},
		{MEDIA_DOCKER_LAYER ".zstd", MEDIA_OCI_LAYER_ZSTD},
		{DOCKER_FOREIGN, FOREIGN_OCI_PREFIX},
		{DOCKER_FOREIGN ".gzip", FOREIGN_OCI_PREFIX "+gzip"},
	};

	for (size_t i = 0; media_type && i < ARRAY_SIZE(pairs); i++)
		if (strcmp(media_type, pairs[i][0]) == 0)
			return pairs[i][1];
	return media_type;
}
