#include "oci/manifest.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"

void manifest_release(struct manifest *m)
{
	if (!m)
		return;
	free(m->media_type);
	descriptor_release(&m->config);
	for (size_t i = 0; i < m->n_layers; i++)
		descriptor_release(&m->layers[i]);
	free(m->layers);
	strmap_release(&m->annotations);
	memset(m, 0, sizeof(*m));
}

void image_index_release(struct image_index *i)
{
	if (!i)
		return;
	free(i->media_type);
	for (size_t k = 0; k < i->n_manifests; k++)
		descriptor_release(&i->manifests[k]);
	free(i->manifests);
	strmap_release(&i->annotations);
	memset(i, 0, sizeof(*i));
}

/* d may be an element of the array itself: the copy comes before the array moves. */
static void append(struct descriptor **array, size_t *n, const struct descriptor *d)
{
	struct descriptor copy;

	descriptor_copy(&copy, d);
	*array = xreallocarray(*array, *n + 1, sizeof(**array));
	(*array)[(*n)++] = copy;
}

void manifest_add_layer(struct manifest *m, const struct descriptor *d)
{
	append(&m->layers, &m->n_layers, d);
}

void image_index_add(struct image_index *i, const struct descriptor *d)
{
	append(&i->manifests, &i->n_manifests, d);
}

void image_index_remove(struct image_index *i, size_t at)
{
	descriptor_release(&i->manifests[at]);
	memmove(&i->manifests[at], &i->manifests[at + 1],
		(i->n_manifests - at - 1) * sizeof(*i->manifests));
	i->n_manifests--;
}

/* "type; charset=utf-8" as an HTTP header gives it, against a plain media type. */
static bool same_media_type(const char *given, const char *plain)
{
	size_t n = strcspn(given, "; \t");

	return strlen(plain) == n && strncasecmp(given, plain, n) == 0;
}

static const char *known_media_type(const char *given)
{
	static const char *const known[] = {MEDIA_OCI_MANIFEST, MEDIA_OCI_INDEX,
					    MEDIA_DOCKER_MANIFEST, MEDIA_DOCKER_LIST};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (same_media_type(given, known[i]))
			return known[i];
	return NULL;
}

static int check_version(const json_t *j, const char *where, struct error *err)
{
	int64_t version;

	if (json_get_int(j, "schemaVersion", &version, where, err) < 0)
		return -1;
	if (version == 1)
		return error_set(err, ERROR_UNSUPPORTED,
				 "%s: a Docker schema 1 manifest, a format withdrawn since 2019; "
				 "push the image again with a current tool",
				 where);
	if (version != 2)
		return error_set(err, ERROR_CORRUPT, "%s: schemaVersion is %lld, not 2", where,
				 (long long)version);
	return 0;
}

/*
 * The type by which the document is read: what it says itself, else what the sender said, else fallback. A
 * document that one reader takes for an index and another for a manifest is refused (CVE-2021-41190).
 */
static int decide_type(const json_t *j, const char *given, const char *fallback, bool index,
		       char **out, const char *where, struct error *err)
{
	const char *said, *type = fallback;
	bool has_manifests = json_object_get(j, "manifests") != NULL;
	bool has_layers = json_object_get(j, "layers") || json_object_get(j, "config");

	if (json_opt_string(j, "mediaType", &said, where, err) < 0)
		return -1;
	if (has_manifests && has_layers)
		return error_set(err, ERROR_CORRUPT,
				 "%s: has the fields of an index and of an image manifest", where);
	if (said && given && !same_media_type(given, said))
		return error_set(err, ERROR_CORRUPT, "%s: was announced as %s and calls itself %s",
				 where, given, said);
	if (said || given) {
		type = known_media_type(said ? said : given);
		if (!type)
			return error_set(err, ERROR_CORRUPT,
					 "%s: %s is neither an image manifest nor an index", where,
					 said ? said : given);
	}
	if (media_is_index(type) != index || (index ? has_layers : has_manifests))
		return error_set(err, ERROR_CORRUPT, "%s: is %s where %s was expected", where,
				 index ? "an image manifest" : "an index",
				 index ? "an index" : "an image manifest");
	*out = xstrdup(type);
	return 0;
}

/* An array of descriptors; null counts as empty. */
static int read_descriptors(const json_t *j, const char *key, size_t limit, struct descriptor **out,
			    size_t *n_out, const char *where, struct error *err)
{
	json_t *array = json_object_get(j, key);

	if (array && json_is_null(array))
		return 0;
	if (json_get_array(j, key, &array, where, err) < 0)
		return -1;
	size_t n = json_array_size(array);

	if (n > limit)
		return error_set(err, ERROR_CORRUPT, "%s: %zu entries in \"%s\"; the limit is %zu",
				 where, n, key, limit);
	*out = xcalloc(n ? n : 1, sizeof(**out));
	for (; *n_out < n; (*n_out)++)
		if (descriptor_from_json(&(*out)[*n_out], json_array_get(array, *n_out), where,
					 err) < 0)
			return -1;
	return 0;
}

static int parse_object(json_t **out, const char *text, size_t len, const char *where,
			struct error *err)
{
	AUTO(error) bad = ERROR_INIT;
	AUTO_JSON *j = NULL;

	if (len > LIMIT_MANIFEST_BYTES)
		return error_set(err, ERROR_CORRUPT, "%s: %zu bytes; the limit is %u", where, len,
				 LIMIT_MANIFEST_BYTES);
	if (json_parse(&j, text, len, where, &bad) < 0)
		return error_set(err, ERROR_CORRUPT, "%s", bad.message);
	if (!json_is_object(j))
		return error_set(err, ERROR_CORRUPT, "%s: not a JSON object", where);
	*out = take_ptr(j);
	return 0;
}

int manifest_parse(struct manifest *out, const char *text, size_t len, const char *media_type,
		   const char *where, struct error *err)
{
	AUTO(manifest) m = {0};
	AUTO_JSON *j = NULL;
	json_t *config;

	if (parse_object(&j, text, len, where, err) < 0 || check_version(j, where, err) < 0)
		return -1;
	const char *config_type = json_string_value(
		json_object_get(json_object_get(j, "config"), "mediaType"));
	const char *fallback = config_type && strcmp(config_type, MEDIA_DOCKER_CONFIG) == 0
				       ? MEDIA_DOCKER_MANIFEST
				       : MEDIA_OCI_MANIFEST;

	if (decide_type(j, media_type, fallback, false, &m.media_type, where, err) < 0 ||
	    json_get_object(j, "config", &config, where, err) < 0 ||
	    descriptor_from_json(&m.config, config, where, err) < 0 ||
	    read_descriptors(j, "layers", LIMIT_MANIFEST_LAYERS, &m.layers, &m.n_layers, where,
			     err) < 0 ||
	    json_opt_strmap(j, "annotations", &m.annotations, where, err) < 0)
		return -1;
	*out = m;
	memset(&m, 0, sizeof(m));
	return 0;
}

int image_index_parse_limit(struct image_index *out, const char *text, size_t len,
			    const char *media_type, size_t limit, const char *where,
			    struct error *err)
{
	AUTO(image_index) i = {0};
	AUTO_JSON *j = NULL;

	if (parse_object(&j, text, len, where, err) < 0 || check_version(j, where, err) < 0 ||
	    decide_type(j, media_type, MEDIA_OCI_INDEX, true, &i.media_type, where, err) < 0 ||
	    read_descriptors(j, "manifests", limit, &i.manifests, &i.n_manifests, where, err) < 0 ||
	    json_opt_strmap(j, "annotations", &i.annotations, where, err) < 0)
		return -1;
	*out = i;
	memset(&i, 0, sizeof(i));
	return 0;
}

int image_index_parse(struct image_index *out, const char *text, size_t len, const char *media_type,
		      const char *where, struct error *err)
{
	return image_index_parse_limit(out, text, len, media_type, LIMIT_INDEX_MANIFESTS, where,
				       err);
}

bool manifest_is_index(const char *text, size_t len, const char *media_type)
{
	const char *type = media_type ? known_media_type(media_type) : NULL;
	AUTO_JSON *j = NULL;

	if (type)
		return media_is_index(type);
	if (parse_object(&j, text, len, "manifest", NULL) < 0)
		return false;
	const char *said = json_string_value(json_object_get(j, "mediaType"));

	type = said ? known_media_type(said) : NULL;
	return type ? media_is_index(type) : json_object_get(j, "manifests") != NULL;
}

static void write_document(json_t *j, const struct strmap *annotations, struct strbuf *out)
{
	if (annotations->n)
		json_object_set_new(j, "annotations", json_from_strmap(annotations, true));
	json_write(j, out);
}

static json_t *begin_document(const char *media_type)
{
	json_t *j = json_object();

	json_object_set_new(j, "schemaVersion", json_integer(2));
	json_object_set_new(j, "mediaType", json_text(media_type));
	return j;
}

static json_t *descriptor_array(const struct descriptor *d, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, descriptor_to_json(&d[i]));
	return array;
}

void manifest_write(const struct manifest *m, struct strbuf *out)
{
	AUTO_JSON *j = begin_document(m->media_type ? m->media_type : MEDIA_OCI_MANIFEST);

	json_object_set_new(j, "config", descriptor_to_json(&m->config));
	json_object_set_new(j, "layers", descriptor_array(m->layers, m->n_layers));
	write_document(j, &m->annotations, out);
}

void image_index_write(const struct image_index *i, struct strbuf *out)
{
	AUTO_JSON *j = begin_document(i->media_type ? i->media_type : MEDIA_OCI_INDEX);

	json_object_set_new(j, "manifests", descriptor_array(i->manifests, i->n_manifests));
	write_document(j, &i->annotations, out);
}

static bool is_unknown(const char *s)
{
	return s && strcmp(s, "unknown") == 0;
}

/* Attestations say platform unknown/unknown; SOCI and other artifacts have an artifactType and the image's platform. */
static bool is_candidate(const struct descriptor *d)
{
	return !d->artifact_type && !(is_unknown(d->platform.os) && is_unknown(d->platform.arch)) &&
	       (media_is_manifest(d->media_type) || media_is_index(d->media_type));
}

static int no_match(const struct image_index *i, const struct platform *want, struct error *err)
{
	AUTO(strlist) have = STRLIST_INIT;
	AUTO_FREE char *wanted = platform_format(want);

	for (size_t k = 0; k < i->n_manifests; k++) {
		AUTO_FREE char *text = platform_format(&i->manifests[k].platform);

		if (is_candidate(&i->manifests[k]) && !strlist_has(&have, text))
			strlist_add(&have, text);
	}
	AUTO_FREE char *list = strlist_join(&have, ", ");

	return error_set(err, ERROR_NOT_FOUND, "no image for platform %s; there is %s", wanted,
			 have.n ? list : "none for any platform");
}

int image_index_choose(const struct image_index *i, const struct platform *want,
		       const struct descriptor **out, struct error *err)
{
	const struct descriptor *best = NULL, *unlabelled = NULL;
	int best_rank = 0;

	for (size_t k = 0; k < i->n_manifests; k++) {
		const struct descriptor *d = &i->manifests[k];

		if (!is_candidate(d))
			continue;
		if (!d->platform.os && !d->platform.arch) {
			unlabelled = unlabelled ? unlabelled : d;
			continue;
		}
		int rank = platform_match(want, &d->platform);

		if (rank > best_rank) {
			best_rank = rank;
			best = d;
		}
	}
	if (!best)
		best = unlabelled;
	if (!best)
		return no_match(i, want, err);
	*out = best;
	return 0;
}
