/* The helper's side: a slipway inside the user namespace that does what it is asked until nobody asks any more. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "sandbox/helper_protocol.h"
#include "sandbox/mount_points.h"

#define WHERE "request to the sandbox helper"

struct server {
	struct store *store;
	struct tree_cache cache;
	struct pool *pool;
};

static void server_release(struct server *s)
{
	tree_cache_release(&s->cache);
	pool_free(s->pool);
	store_free(s->store);
}
CLEANUP_RELEASE(server)

static int open_store(struct server *s, const json_t *request, struct error *err)
{
	const char *root;

	if (s->store)
		return 0;
	if (json_get_string(request, "root", &root, WHERE, err) < 0)
		return -1;
	return store_open(&s->store, root, err);
}

static int get_mode(const json_t *request, enum sandbox_mode *mode, struct error *err)
{
	int64_t number;

	if (json_get_int(request, "mode", &number, WHERE, err) < 0)
		return -1;
	if (number < 0 || number >= SANDBOX_NONE)
		return error_set(err, ERROR_CORRUPT, WHERE ": unknown mode");
	*mode = (enum sandbox_mode)number;
	return 0;
}

static int get_layers(const json_t *request, struct layer_list *l, struct error *err)
{
	json_t *array;

	if (json_get_array(request, "layers", &array, WHERE, err) < 0)
		return -1;
	return layer_list_from_json(l, array, err);
}

static int do_extract(struct server *s, const json_t *request, json_t *answer, struct error *err)
{
	AUTO(layer_list) l = {0};
	struct extract_job job = {0};
	int64_t first;

	(void)answer;
	if (get_mode(request, &job.mode, err) < 0 || get_layers(request, &l, err) < 0 ||
	    json_get_string(request, "dir", &job.dir, WHERE, err) < 0 ||
	    json_get_int(request, "first", &first, WHERE, err) < 0)
		return -1;
	job.flat = json_is_true(json_object_get(request, "flat"));
	job.first = (size_t)first;
	if (l.n == 0 && !job.flat)
		return error_set(err, ERROR_CORRUPT, WHERE ": no layer");
	job.layers = l.layers;
	job.n = l.n;
	return work_extract(s->store, &s->cache, &job, err);
}

static int get_options(struct server *s, const json_t *request, struct layer_options *o,
		       struct error *err)
{
	int64_t compression, level, threads;

	if (json_get_int(request, "compression", &compression, WHERE, err) < 0 ||
	    json_get_int(request, "level", &level, WHERE, err) < 0 ||
	    json_get_int(request, "threads", &threads, WHERE, err) < 0 ||
	    json_get_int(request, "mtimeLimit", &o->mtime_limit, WHERE, err) < 0)
		return -1;
	o->compression = (enum compression)compression;
	o->level = (int)level;
	if (threads > 0 && !s->pool)
		s->pool = pool_new((size_t)threads);
	o->pool = threads > 0 ? s->pool : NULL;
	return 0;
}

static int do_commit(struct server *s, const json_t *request, json_t *answer, struct error *err)
{
	AUTO(layer_list) l = {0};
	AUTO(layer) layer = {0};
	AUTO(strlist) notes = STRLIST_INIT;
	AUTO(strlist) pardoned = STRLIST_INIT;
	struct layer_options options = {0};
	struct commit_job job = {.options = &options, .pardoned = &pardoned};

	if (get_mode(request, &job.mode, err) < 0 || get_layers(request, &l, err) < 0 ||
	    get_options(s, request, &options, err) < 0 ||
	    json_get_string(request, "upper", &job.upper, WHERE, err) < 0 ||
	    json_opt_string(request, "lower", &job.lower, WHERE, err) < 0 ||
	    json_opt_string(request, "record", &job.record, WHERE, err) < 0 ||
	    json_opt_string(request, "owners", &job.owners, WHERE, err) < 0 ||
	    json_opt_strlist(request, "pardoned", &pardoned, WHERE, err) < 0)
		return -1;
	job.layers = l.layers;
	job.n = l.n;
	if (work_commit(s->store, &s->cache, &job, &layer, &notes, err) < 0)
		return -1;
	json_object_set_new(answer, "descriptor", descriptor_to_json(&layer.descriptor));
	json_object_set_new(answer, "diffId", json_string(layer.diff_id.text));
	json_object_set_new(answer, "uncompressed", json_integer(layer.uncompressed));
	json_object_set_new(answer, "notes", json_from_strlist(&notes));
	return 0;
}

static int get_paths(const json_t *request, const char **path, const char **other,
		     struct error *err)
{
	if (json_get_string(request, "path", path, WHERE, err) < 0)
		return -1;
	return other ? json_get_string(request, "other", other, WHERE, err) : 0;
}

static int do_metadata(struct server *s, const json_t *request, json_t *answer, struct error *err)
{
	const char *path, *other;

	(void)s;
	(void)answer;
	if (get_paths(request, &path, &other, err) < 0)
		return -1;
	return work_take_metadata(path, other, err);
}

static int do_record(struct server *s, const json_t *request, json_t *answer, struct error *err)
{
	const char *path, *other;

	(void)s;
	(void)answer;
	if (get_paths(request, &path, &other, err) < 0)
		return -1;
	return work_record(path, other, err);
}

static int do_copy(struct server *s, const json_t *request, json_t *answer, struct error *err)
{
	const char *path, *other, *subpath;

	(void)s;
	(void)answer;
	if (get_paths(request, &path, &other, err) < 0 ||
	    json_opt_string(request, "subpath", &subpath, WHERE, err) < 0)
		return -1;
	return work_copy(path, subpath, other, err);
}

static int do_remove_mount_points(struct server *s, const json_t *request, json_t *answer,
				  struct error *err)
{
	AUTO(strlist) made = STRLIST_INIT;
	AUTO(strlist) pardoned = STRLIST_INIT;
	const char *path;

	(void)s;
	if (get_paths(request, &path, NULL, err) < 0 ||
	    json_opt_strlist(request, "made", &made, WHERE, err) < 0 ||
	    mount_points_remove(path, &made, &pardoned, err) < 0)
		return -1;
	json_object_set_new(answer, "pardoned", json_from_strlist(&pardoned));
	return 0;
}

static int do_rename(struct server *s, const json_t *request, json_t *answer, struct error *err)
{
	const char *path, *other;

	(void)s;
	(void)answer;
	if (get_paths(request, &path, &other, err) < 0)
		return -1;
	return work_rename(path, other, err);
}

static int do_remove(struct server *s, const json_t *request, json_t *answer, struct error *err)
{
	const char *path;

	(void)s;
	(void)answer;
	if (get_paths(request, &path, NULL, err) < 0)
		return -1;
	return work_remove(path, err);
}

static const struct operation {
	const char *name;
	int (*run)(struct server *s, const json_t *request, json_t *answer, struct error *err);
} operations[] = {
	{"commit", do_commit},
	{"copy", do_copy},
	{"extract", do_extract},
	{"metadata", do_metadata},
	{"record", do_record},
	{"remove", do_remove},
	{"removeMountPoints", do_remove_mount_points},
	{"rename", do_rename},
};

static int perform(struct server *s, const json_t *request, json_t *answer, struct error *err)
{
	const char *op;

	if (json_get_string(request, "op", &op, WHERE, err) < 0 || open_store(s, request, err) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (strcmp(op, operations[i].name) == 0)
			return operations[i].run(s, request, answer, err);
	return error_set(err, ERROR_CORRUPT, WHERE ": unknown operation %s", op);
}

static int serve(struct server *s, int fd)
{
	for (;;) {
		AUTO_JSON *request = NULL;
		AUTO_JSON *answer = json_object();
		AUTO(error) err = ERROR_INIT;
		int r = frame_read(fd, &request, NULL);

		if (r <= 0)
			return r < 0;
		if (perform(s, request, answer, &err) < 0)
			json_object_set_new(answer, "error", error_to_json(&err));
		if (frame_write(fd, answer, NULL) < 0)
			return 1;
	}
}

int sandbox_helper_main(int argc, char **argv)
{
	AUTO(server) s = {0};

	if (argc != 3)
		return 2;
	return serve(&s, (int)strtol(argv[2], NULL, 10));
}
