#include "builder/build.h"

#include "build_fixture.h"
#include "oci/layer_writer.h"
#include "oci/tree.h"

/*
 * FROM an image of a registry: a sister store holds it, with one layer; the tests count what is asked of it.
 */
struct registry {
	struct store *theirs;
	struct store *ours;
	struct image *image;
	size_t resolved, pulled, fetched;
	bool pull; /* --pull */
};

static void copy_blob(struct registry *r, const struct descriptor *d)
{
	AUTO(strbuf) bytes = STRBUF_INIT;
	AUTO(descriptor) put = {.size = 0};

	assert_ok(store_read_blob(r->theirs, &d->digest, d->size, &bytes, 1 << 20, err));
	assert_ok(store_put(r->ours, d->media_type, bytes.buf, bytes.len, &put, err));
	assert_string_equal(put.digest.text, d->digest.text);
}

static int resolve(void *arg, const struct image_ref *ref, const struct platform *platform,
		   bool pull, struct descriptor *chosen, struct error *err)
{
	struct registry *r = arg;

	(void)platform;
	r->pulled += pull;
	if (strcmp(ref->path, "library/base") != 0)
		return error_set(err, ERROR_NOT_FOUND, "no image %s", ref->path);
	r->resolved++;
	copy_blob(r, &r->image->descriptor);
	copy_blob(r, &r->image->manifest.config);
	descriptor_copy(chosen, &r->image->descriptor);
	return 0;
}

static int fetch(void *arg, const struct image_ref *ref, const struct descriptor *blob, int step,
		 struct error *err)
{
	struct registry *r = arg;

	(void)ref;
	(void)step;
	(void)err;
	__atomic_add_fetch(&r->fetched, 1, __ATOMIC_SEQ_CST);
	copy_blob(r, blob);
	return 0;
}

/* lib -> usr/lib, as in a merged-usr base; a user "app" of 1000:2000. */
static void add_layer(struct store *s, struct layer *out)
{
	static const char passwd[] = "root:x:0:0::/root:/bin/sh\napp:x:1000:2000::/:/bin/sh\n";
	static const struct layer_options options = {.mtime_limit = -1,
						     .compression = COMPRESSION_GZIP};
	const struct entry entries[] = {
		{.type = ENTRY_DIR, .path = "etc", .mode = 0755},
		{.type = ENTRY_FILE,
		 .path = "etc/passwd",
		 .mode = 0644,
		 .size = sizeof(passwd) - 1},
		{.type = ENTRY_SYMLINK, .path = "lib", .link = "usr/lib", .mode = 0777},
		{.type = ENTRY_DIR, .path = "usr", .mode = 0755},
		{.type = ENTRY_DIR, .path = "usr/lib", .mode = 0755},
	};
	AUTO_PTR(layer_writer) w = NULL;
	char path[] = "/tmp/slipway-passwd-XXXXXX";
	AUTO_FD int fd = mkstemp(path);
	struct fd_source bytes;

	unlink(path);
	assert_ok(fs_write_all(fd, passwd, sizeof(passwd) - 1, "passwd", err));
	lseek(fd, 0, SEEK_SET);
	fd_source_init(&bytes, fd, "passwd");
	assert_ok(layer_writer_open(&w, s, &options, err));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		assert_ok(layer_writer_add(
			w, &entries[i], entries[i].type == ENTRY_FILE ? &bytes.source : NULL, err));
	assert_ok(layer_writer_finish(w, out, err));
}

static void registry_init(struct registry *r, struct build_fixture *f, const char *name,
			  const char *trigger, bool with_history)
{
	AUTO_FREE char *root = path_join(f->folder, name);
	AUTO(layer) layer = {.uncompressed = 0};

	*r = (struct registry){.ours = f->store};
	assert_ok(store_open(&r->theirs, root, err));
	add_layer(r->theirs, &layer);
	r->image = image_new();
	platform_host(&r->image->config.platform);
	image_config_set_env(&r->image->config, "LANG", "C.UTF-8");
	strlist_add(&r->image->config.cmd, "sh");
	r->image->config.has_cmd = true;
	if (trigger)
		strlist_add(&r->image->config.on_build, trigger);
	image_config_add_layer(&r->image->config, &layer.diff_id);
	if (with_history)
		image_config_add_history(&r->image->config, "2020-01-01T00:00:00Z", "theirs", NULL,
					 false);
	manifest_add_layer(&r->image->manifest, &layer.descriptor);
	assert_ok(image_save(r->image, r->theirs, err));
}

static void registry_release(struct registry *r)
{
	image_free(r->image);
	store_free(r->theirs);
}

CLEANUP_RELEASE(registry)

static int try_build(struct registry *r, struct build_fixture *f, const char *text,
		     struct build_result *out, struct error *failure)
{
	AUTO_PTR(context) context = NULL;
	AUTO_FREE char *path = path_join(f->folder, "ctx");
	struct build_options o = {.dockerfile_name = "Dockerfile",
				  .dockerfile = text,
				  .dockerfile_len = strlen(text),
				  .source_date_epoch = -1,
				  .now = 1700000000,
				  .compression = COMPRESSION_GZIP,
				  .pull = r->pull,
				  .images = {.resolve = resolve, .fetch = fetch, .arg = r}};

	write_file(f, "ctx/a.txt", "alpha");
	assert_ok(context_open_folder(&context, "context", path, NULL, err));
	o.context = context;
	return build_run(out, f->store, &o, failure);
}

static struct build_result build(struct registry *r, struct build_fixture *f, const char *text)
{
	struct build_result result = {.image = NULL};

	assert_ok(try_build(r, f, text, &result, err));
	assert_true(image_complete(result.image, f->store, NULL));
	return result;
}

static void an_image_is_carried_over(void **state)
{
	struct build_fixture *f = *state;
	AUTO(registry) r;
	AUTO(build_result) out = {.image = NULL};
	const struct image_config *c;

	registry_init(&r, f, "carried", NULL, true);
	out = build(&r, f, "FROM base\nENV A=1\n");
	c = &out.image->config;
	assert_int_equal(r.resolved, 1);
	assert_int_equal(r.fetched, 1);
	assert_string_equal(c->env.items[0], "LANG=C.UTF-8");
	assert_string_equal(c->env.items[1],
			    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_string_equal(c->env.items[2], "A=1");
	assert_string_equal(c->cmd.items[0], "sh");
	assert_int_equal(c->n_history, 2);
	assert_string_equal(c->history[0].created_by, "theirs");
	assert_string_equal(c->history[0].created, "2020-01-01T00:00:00Z");
	assert_string_equal(c->history[1].created_by, "ENV A=1");
	assert_int_equal(c->n_diff_ids, 1);
	assert_string_equal(c->diff_ids[0].text, r.image->config.diff_ids[0].text);

	/* Nothing is fetched twice. */
	AUTO(build_result) again = {.image = NULL};

	again = build(&r, f, "FROM base\nENV A=1\n");
	assert_int_equal(r.fetched, 1);
	assert_string_equal(again.image->descriptor.digest.text, out.image->descriptor.digest.text);
}

static void names_and_links_of_the_base(void **state)
{
	struct build_fixture *f = *state;
	AUTO(registry) r;
	AUTO(build_result) out = {.image = NULL};
	AUTO_PTR(tree) tree = tree_new();
	const struct tree_node *node;

	registry_init(&r, f, "names", NULL, true);
	out = build(&r, f, "FROM base\nUSER app\nWORKDIR /lib/x\nCOPY --chown=app a.txt /lib/\n");
	for (size_t i = 0; i < out.image->config.n_diff_ids; i++)
		assert_ok(tree_add_layer(tree, f->store, &out.image->config.diff_ids[i], err));
	node = tree_lookup(tree, "lib", false);
	assert_int_equal(node->type, ENTRY_SYMLINK);
	node = tree_lookup(tree, "usr/lib/x", false);
	assert_int_equal(node->type, ENTRY_DIR);
	assert_int_equal(node->uid, 1000);
	assert_int_equal(node->gid, 2000);
	node = tree_lookup(tree, "usr/lib/a.txt", false);
	assert_int_equal(node->type, ENTRY_FILE);
	assert_int_equal(node->uid, 1000);
	assert_int_equal(node->gid, 2000);
}

static void one_resolve_for_all_uses(void **state)
{
	struct build_fixture *f = *state;
	AUTO(registry) r;
	AUTO(build_result) out = {.image = NULL};

	registry_init(&r, f, "uses", NULL, true);
	out = build(&r, f,
		    "FROM base AS a\nCOPY a.txt /1\nFROM base AS b\nCOPY a.txt /2\n"
		    "FROM scratch\nCOPY --from=a /1 /\nCOPY --from=b /2 /\n"
		    "COPY --from=base /etc/passwd /\n"
		    "COPY --from=docker.io/library/base:latest /etc/passwd /again\n");
	assert_int_equal(r.resolved, 1);
	/* What nobody needs is not asked for. */
	AUTO(build_result) small = {.image = NULL};

	r.resolved = 0;
	small = build(&r, f,
		      "FROM base AS unused\nFROM nowhere AS never\nFROM scratch\nCOPY a.txt /\n");
	assert_int_equal(r.resolved, 0);
	/* Of two platforms the second takes what the registry said for the first, though the tag may have moved. */
	AUTO(build_result) again = {.image = NULL};

	r.pull = true;
	again = build(&r, f,
		      "FROM base AS a\nCOPY a.txt /1\nFROM --platform=linux/s390x base AS b\n"
		      "COPY a.txt /2\nFROM scratch\nCOPY --from=a /1 /\nCOPY --from=b /2 /\n");
	assert_int_equal(r.resolved, 2);
	assert_int_equal(r.pulled, 1);
}

static void triggers_of_an_image(void **state)
{
	struct build_fixture *f = *state;
	AUTO(registry) r;
	AUTO(build_result) out = {.image = NULL};
	const struct image_config *c;

	/* A stage that only a trigger needs is built too. */
	registry_init(&r, f, "triggers", "COPY --from=other /o /from-trigger", true);
	out = build(&r, f, "FROM scratch AS other\nCOPY a.txt /o\nFROM base\nLABEL after=1\n");
	c = &out.image->config;
	assert_int_equal(c->n_history, 3);
	assert_string_equal(c->history[1].created_by, "COPY /o /from-trigger # buildkit");
	assert_string_equal(c->history[2].created_by, "LABEL after=1");
	assert_int_equal(c->on_build.n, 0);
}

static void an_image_without_history(void **state)
{
	struct build_fixture *f = *state;
	AUTO(registry) r;
	AUTO(build_result) out = {.image = NULL};
	size_t layers = 0;

	registry_init(&r, f, "bare", NULL, false);
	out = build(&r, f, "FROM base\nCOPY a.txt /\n");
	for (size_t i = 0; i < out.image->config.n_history; i++)
		layers += !out.image->config.history[i].empty_layer;
	assert_int_equal(layers, 2);
	assert_int_equal(out.image->manifest.n_layers, 2);
}

static void a_missing_image_has_its_place(void **state)
{
	struct build_fixture *f = *state;
	AUTO(registry) r;
	AUTO(build_result) out = {.image = NULL};

	registry_init(&r, f, "missing", NULL, true);
	assert_error(try_build(&r, f, "FROM scratch AS x\nFROM nothing:1\n", &out, err),
		     ERROR_NOT_FOUND, "Dockerfile:2:");
	assert_error(try_build(&r, f, "FROM scratch\nCOPY --from=nothing /a /\n", &out, err),
		     ERROR_NOT_FOUND, "Dockerfile:2:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_is_carried_over),
		cmocka_unit_test(names_and_links_of_the_base),
		cmocka_unit_test(one_resolve_for_all_uses),
		cmocka_unit_test(triggers_of_an_image),
		cmocka_unit_test(an_image_without_history),
		cmocka_unit_test(a_missing_image_has_its_place),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
