#include "registry/tag_index.h"

#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"

#define MAX_ROUNDS   40
#define FIRST_WAIT   50000000ll /* nanoseconds */
#define LONGEST_WAIT 3200000000ll

/* Docker's list where all its members are Docker's, since families are not mixed; else an OCI index. */
static void choose_type(struct image_index *index)
{
	size_t docker = 0;

	for (size_t i = 0; i < index->n_manifests; i++) {
		const char *type = index->manifests[i].media_type;

		docker += type && strcmp(type, MEDIA_DOCKER_MANIFEST) == 0;
	}
	free(index->media_type);
	index->media_type = xstrdup(docker && docker == index->n_manifests ? MEDIA_DOCKER_LIST
									   : MEDIA_OCI_INDEX);
}

static int put(struct registry_client *c, const struct image_ref *ref, const char *tag,
	       struct image_index *index, const char *etag, struct descriptor *out, bool *overtaken,
	       struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	struct manifest_put p = {.reference = tag, .d = out, .text = &text, .if_match = etag};
	struct digest digest;

	choose_type(index);
	image_index_write(index, &text);
	digest = digest_of(text.buf, text.len);
	descriptor_set(out, index->media_type, &digest, (int64_t)text.len);
	if (manifest_put(c, ref, &p, err) < 0)
		return -1;
	*overtaken = p.overtaken;
	return 0;
}

int tag_index_put(struct registry_client *c, const struct image_ref *ref, const char *tag,
		  struct image_index *index, struct descriptor *out, struct error *err)
{
	bool overtaken;

	return put(c, ref, tag, index, NULL, out, &overtaken, err);
}

/* What the tag names now; nothing is an empty index. */
static int read_now(struct registry_client *c, const struct image_ref *ref, const char *tag,
		    struct image_index *index, char **etag, struct descriptor *out,
		    struct error *err)
{
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) why = ERROR_INIT;

	if (manifest_get_now(c, ref, tag, out, &text, etag, &why) < 0)
		return why.kind == ERROR_NOT_FOUND ? 0 : error_move(err, &why);
	if (!media_is_index(out->media_type)) {
		error_set(err, ERROR_REMOTE, "%s/%s:%s is an image, not an index", ref->host,
			  ref->path, tag);
		return error_hint(err, "\"slipway index create\" replaces it");
	}
	return image_index_parse(index, text.buf, text.len, out->media_type, out->digest.text, err);
}

int tag_index_check(struct registry_client *c, const struct image_ref *ref, const char *tag,
		    struct error *err)
{
	AUTO(image_index) index = {0};
	AUTO(descriptor) now = {0};
	AUTO_FREE char *etag = NULL;

	return read_now(c, ref, tag, &index, &etag, &now, err);
}

/* Those who came at the same moment come back at different ones. */
static int wait_turn(struct registry_client *c, int round, struct error *err)
{
	int64_t longest = FIRST_WAIT;
	uint64_t random = 0;

	for (int i = 1; i < round && longest < LONGEST_WAIT; i++)
		longest *= 2;
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		random = (uint64_t)longest;
	return client_sleep(c, (int64_t)(random % (uint64_t)longest), err);
}

int tag_index_edit(struct registry_client *c, const struct image_ref *ref, const char *tag,
		   tag_index_fn *fn, void *arg, struct descriptor *out, struct error *err)
{
	for (int round = 0; round < MAX_ROUNDS; round++) {
		AUTO(image_index) index = {0};
		AUTO_FREE char *etag = NULL;
		bool changed = false, overtaken;

		if ((round && wait_turn(c, round, err) < 0) ||
		    read_now(c, ref, tag, &index, &etag, out, err) < 0 ||
		    fn(arg, &index, &changed, err) < 0)
			return -1;
		if (!changed)
			return 0;
		if (round)
			report_log(c->o.reporter, LOG_DEBUG,
				   "%s/%s:%s was changed by somebody else: once more", ref->host,
				   ref->path, tag);
		if (put(c, ref, tag, &index, etag, out, &overtaken, err) < 0)
			return -1;
	}
	return error_set(err, ERROR_REMOTE,
			 "%s/%s:%s was changed by others %d times in a row: given up", ref->host,
			 ref->path, tag, MAX_ROUNDS);
}
