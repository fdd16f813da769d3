#include "archive_fixture.h"

#include "oci/layer_reader.h"
#include "oci/prune.h"

static struct store *open_target(struct fixture *f, const char *name)
{
	AUTO_FREE char *root = xstrfmt("%s/%s", f->folder, name);
	struct store *into = NULL;

	assert_ok(f, store_open(&into, root, &f->err));
	return into;
}

/* The image of a name is whole in the store, every layer unpacks to its diff ID, and fsck is content. */
static struct image *check_loaded(struct fixture *f, struct store *s, const char *name)
{
	AUTO(descriptor) d = {0};
	AUTO_PTR(image) image = NULL;
	struct fsck_result r;
	size_t missing;

	assert_ok(f, layout_find_text(s, name, &d, &f->err));
	assert_ok(f, image_load(&image, s, &d, NULL, &f->err));
	assert_true(image_complete(image, s, &missing));
	for (size_t i = 0; i < image->manifest.n_layers; i++) {
		AUTO_PTR(layer_reader) reader = NULL;
		const struct entry *e;
		int more;

		assert_ok(f, layer_reader_open(&reader, s, &image->manifest.layers[i],
					       &image->config.diff_ids[i], &f->err));
		while ((more = layer_reader_next(reader, &e, &f->err)) > 0)
			;
		if (more < 0)
			fail_msg("%s", f->err.message);
	}
	assert_ok(f, store_fsck(s, false, NULL, &r, &f->err));
	assert_int_equal(r.problems, 0);
	return take_ptr(image);
}

static void nothing_is_listed(struct fixture *f, struct store *s)
{
	AUTO(image_index) index = {0};

	assert_ok(f, layout_read(s, &index, &f->err));
	assert_int_equal(index.n_manifests, 0);
}

/* Two images with real layers in f->store, named app:one and h.example/app:two. */
static void make_two(struct fixture *f)
{
	static const char *const names[] = {"app:one", "h.example/app:two"};

	for (int i = 0; i < 2; i++) {
		struct layer_options o = {.compression = i ? COMPRESSION_ZSTD : COMPRESSION_GZIP,
					  .mtime_limit = -1};
		struct entry e = {.type = ENTRY_DIR, .path = i ? "usr" : "etc", .mode = 0755};
		AUTO_PTR(layer_writer) w = NULL;
		AUTO_PTR(image) image = image_new();
		AUTO(layer) layer = {0};

		assert_ok(f, layer_writer_open(&w, f->store, &o, &f->err));
		assert_ok(f, layer_writer_add(w, &e, NULL, &f->err));
		assert_ok(f, layer_writer_finish(w, &layer, &f->err));
		platform_host(&image->config.platform);
		manifest_add_layer(&image->manifest, &layer.descriptor);
		image_config_add_layer(&image->config, &layer.diff_id);
		assert_ok(f, image_save(image, f->store, &f->err));
		tag(f, names[i], &image->descriptor);
	}
}

static char *save_two(struct fixture *f, enum archive_kind kind)
{
	static const char *const names[] = {"app:one", "h.example/app:two"};

	make_two(f);
	return save_names(f, kind, names, 2);
}

static void test_round_trip(void **state)
{
	struct fixture *f = *state;

	for (int kind = ARCHIVE_HYBRID; kind <= ARCHIVE_OCI; kind++) {
		AUTO_FREE char *target = xstrfmt("target%d", kind);
		AUTO_PTR(store) into = open_target(f, target);
		AUTO_FREE char *path = save_two(f, (enum archive_kind)kind);
		AUTO(strlist) loaded = STRLIST_INIT;
		AUTO_FREE char *command = xstrfmt("cat '%s'", path);
		FILE *p = popen(command, "r");

		assert_ok(f, archive_load(into, fileno(p), &loaded, &f->err));
		/* The pipe was read to its end: cat did not die of SIGPIPE. */
		assert_int_equal(pclose(p), 0);
		AUTO_FREE char *names = strlist_join(&loaded, ",");

		assert_string_equal(names, "app:one,h.example/app:two");
		AUTO_PTR(image) one = check_loaded(f, into, "app:one");
		AUTO_PTR(image) two = check_loaded(f, into, "h.example/app:two");

		assert_string_equal(one->descriptor.digest.text, lookup(f, "app:one").text);
		assert_string_equal(two->descriptor.digest.text,
				    lookup(f, "h.example/app:two").text);
	}
}

static void test_wrapped(void **state)
{
	static const char *const tools[] = {"gzip -c", "zstd -qc"};
	struct fixture *f = *state;
	AUTO_FREE char *path = save_two(f, ARCHIVE_HYBRID);

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		AUTO_FREE char *target = xstrfmt("target%zu", i);
		AUTO_PTR(store) into = open_target(f, target);
		AUTO(strlist) loaded = STRLIST_INIT;
		AUTO_FREE char *command = xstrfmt("%s '%s'", tools[i], path);
		FILE *p = popen(command, "r");

		assert_ok(f, archive_load(into, fileno(p), &loaded, &f->err));
		assert_int_equal(pclose(p), 0);
		image_free(check_loaded(f, into, "app:one"));
	}
}

/* The parts of an old archive. */
struct old {
	struct packer layer1, layer2;
	char *config;
	struct digest diff1, diff2;
};

static void make_old(struct old *o)
{
	pack_layer(&o->layer1, "one");
	pack_layer(&o->layer2, "two");
	o->diff1 = digest_of(o->layer1.bytes.buf, o->layer1.bytes.len);
	o->diff2 = digest_of(o->layer2.bytes.buf, o->layer2.bytes.len);
	o->config = xstrfmt(
		"{\"architecture\":\"amd64\",\"os\":\"linux\",\"docker_version\":\"1.13\",\"config\":{},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\",\"%s\"]}}",
		o->diff1.text, o->diff2.text, o->diff1.text);
}

static void old_release(struct old *o)
{
	strbuf_release(&o->layer1.bytes);
	strbuf_release(&o->layer2.bytes);
	free(o->config);
}
CLEANUP_RELEASE(old)

#define OLD_MANIFEST                                                                                    \
	"[{\"Config\":\"c.json\",\"RepoTags\":[\"app:old\",\"app:older\"],\"Layers\":[\"a/layer.tar\"," \
	"\"b/layer.tar\",\"c/layer.tar\"]}]"

/* docker save before 25: plain layers, a repeated one as a link, files nobody needs. */
static void test_docker_save(void **state)
{
	struct fixture *f = *state;
	AUTO(old) o = {0};
	struct packer p;
	AUTO_PTR(store) into = open_target(f, "target");

	make_old(&o);
	pack_begin(&p);
	pack_text(&p, "a/VERSION", "1.0");
	pack_text(&p, "a/json", "{\"id\":\"a\"}");
	pack(&p, "a/layer.tar", o.layer1.bytes.buf, o.layer1.bytes.len);
	pack(&p, "b/layer.tar", o.layer2.bytes.buf, o.layer2.bytes.len);
	pack_link(&p, "c/layer.tar", "../a/layer.tar");
	pack_text(&p, "c.json", o.config);
	pack_text(&p, "manifest.json", OLD_MANIFEST);
	pack_text(&p, "repositories", "{}");
	pack_end(&p);
	AUTO_FREE char *loaded = load_bytes(f, into, p.bytes.buf, p.bytes.len);

	strbuf_release(&p.bytes);
	if (!loaded)
		fail_msg("%s", f->err.message);
	assert_string_equal(loaded, "app:old,app:older");
	AUTO_PTR(image) image = check_loaded(f, into, "app:older");

	/* The config keeps its bytes, so the image keeps docker's ID. */
	assert_string_equal(image->manifest.config.digest.text,
			    digest_of(o.config, strlen(o.config)).text);
	assert_int_equal(image->manifest.n_layers, 3);
	assert_string_equal(image->manifest.layers[0].media_type, MEDIA_OCI_LAYER_GZIP);
	assert_true(
		digest_equal(&image->manifest.layers[0].digest, &image->manifest.layers[2].digest));
	struct digest diff_id;
	int64_t bytes;

	assert_ok(f, layer_meta_get(into, &image->manifest.layers[1].digest, &diff_id, &bytes,
				    &f->err));
	assert_string_equal(diff_id.text, o.diff2.text);
	assert_int_equal(bytes, o.layer2.bytes.len);
}

static void gzip_layer(struct fixture *f, const struct packer *layer, struct strbuf *out)
{
	AUTO_FREE char *path = xstrfmt("%s/layer", f->folder);
	AUTO_FREE char *packed = xstrfmt("%s/layer.gz", f->folder);

	fixture_file(f, "layer", layer->bytes.buf, layer->bytes.len);
	run_command("gzip -nkf '%s'", path);

	assert_ok(f, fs_read_file(packed, out, 1 << 20, &f->err));
}

/* Layers that are compressed already are stored as they are, under any name and in blobs/ too. */
static void test_compressed_layers(void **state)
{
	struct fixture *f = *state;
	AUTO(old) o = {0};
	AUTO(strbuf) gz1 = STRBUF_INIT;
	AUTO(strbuf) gz2 = STRBUF_INIT;
	struct packer p;
	AUTO_PTR(store) into = open_target(f, "target");

	make_old(&o);
	gzip_layer(f, &o.layer1, &gz1);
	gzip_layer(f, &o.layer2, &gz2);
	struct digest blob2 = digest_of(gz2.buf, gz2.len);
	AUTO_FREE char *name2 = xstrfmt("blobs/sha256/%s", digest_hex(&blob2));
	AUTO_FREE char *manifest = xstrfmt(
		"[{\"Config\":\"c.json\",\"RepoTags\":[\"app\"],\"Layers\":[\"x.tar.gz\",\"%s\",\"x.tar.gz\"]}]",
		name2);

	pack_begin(&p);
	pack_text(&p, "manifest.json", manifest);
	pack_text(&p, "c.json", o.config);
	pack(&p, "x.tar.gz", gz1.buf, gz1.len);
	pack(&p, name2, gz2.buf, gz2.len);
	pack_end(&p);
	AUTO_FREE char *loaded = load_bytes(f, into, p.bytes.buf, p.bytes.len);

	strbuf_release(&p.bytes);
	if (!loaded)
		fail_msg("%s", f->err.message);
	AUTO_PTR(image) image = check_loaded(f, into, "app");

	assert_string_equal(image->manifest.layers[0].digest.text,
			    digest_of(gz1.buf, gz1.len).text);
	assert_string_equal(image->manifest.layers[1].digest.text, blob2.text);
	assert_string_equal(image->manifest.layers[1].media_type, MEDIA_OCI_LAYER_GZIP);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;
	AUTO(old) o = {0};
	AUTO_PTR(store) into = open_target(f, "target");

	make_old(&o);
	struct {
		const char *part, *manifest, *config;
		enum error_kind kind;
		const struct packer *a;
	} rows[] = {
		/* The layers are not the ones of the config. */
		{"unpacks to", OLD_MANIFEST, o.config, ERROR_CORRUPT, &o.layer2},
		{"names a/layer.tar, which the archive lacks", OLD_MANIFEST, o.config,
		 ERROR_CORRUPT, NULL},
		{"names c.json, which the archive lacks", OLD_MANIFEST, NULL, ERROR_CORRUPT,
		 &o.layer1},
		{"3 diff IDs", "[{\"Config\":\"c.json\",\"Layers\":[]}]", o.config, ERROR_CORRUPT,
		 &o.layer1},
		{"Config", "[{}]", o.config, ERROR_CORRUPT, &o.layer1},
		{"not an array", "{}", o.config, ERROR_CORRUPT, &o.layer1},
		{"is empty", "[]", o.config, ERROR_CORRUPT, &o.layer1},
		{"neither an OCI layout nor manifest.json", NULL, o.config, ERROR_CORRUPT,
		 &o.layer1},
		{"which the archive lacks", "[{\"Config\":\"../../etc/passwd\"}]", o.config,
		 ERROR_CORRUPT, &o.layer1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct packer p;

		pack_begin(&p);
		if (rows[i].a)
			pack(&p, "a/layer.tar", rows[i].a->bytes.buf, rows[i].a->bytes.len);
		pack(&p, "b/layer.tar", o.layer2.bytes.buf, o.layer2.bytes.len);
		pack_link(&p, "c/layer.tar", "../a/layer.tar");
		if (rows[i].config)
			pack_text(&p, "c.json", rows[i].config);
		if (rows[i].manifest)
			pack_text(&p, "manifest.json", rows[i].manifest);
		pack_end(&p);
		assert_load_fails(f, into, rows[i].kind, rows[i].part, p.bytes);
		strbuf_release(&p.bytes);
		nothing_is_listed(f, into);
	}
}

static void test_strange_archives(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f, "target");
	struct packer links, ancient, version, big;
	struct strbuf nothing = STRBUF_INIT, garbage = STRBUF_INIT;

	assert_load_fails(f, into, ERROR_CORRUPT, "holds no image", nothing);
	strbuf_puts(&garbage,
		    "this is not an archive but a line of text, and rather a short one\n");
	assert_load_fails(f, into, ERROR_CORRUPT, "archive", garbage);
	strbuf_release(&garbage);

	pack_begin(&links);
	pack_link(&links, "a.tar", "b.tar");
	pack_link(&links, "b.tar", "a.tar");
	pack_text(&links, "manifest.json", "[{\"Config\":\"a.tar\",\"Layers\":[]}]");
	pack_end(&links);
	assert_load_fails(f, into, ERROR_CORRUPT, "which the archive lacks", links.bytes);
	strbuf_release(&links.bytes);

	pack_begin(&ancient);
	pack_text(&ancient, "repositories", "{\"app\":{\"latest\":\"a\"}}");
	pack_end(&ancient);
	assert_load_fails(f, into, ERROR_UNSUPPORTED, "before version 1.10", ancient.bytes);
	strbuf_release(&ancient.bytes);

	pack_begin(&version);
	pack_text(&version, "oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	pack_end(&version);
	assert_load_fails(f, into, ERROR_UNSUPPORTED, "2.0.0", version.bytes);
	strbuf_release(&version.bytes);

	AUTO_FREE char *spaces = xmalloc((17 << 20));

	memset(spaces, ' ', 17 << 20);
	pack_begin(&big);
	pack(&big, "manifest.json", spaces, 17 << 20);
	pack_end(&big);
	assert_load_fails(f, into, ERROR_CORRUPT, "the limit is 16777216", big.bytes);
	strbuf_release(&big.bytes);
	nothing_is_listed(f, into);
}

/* A name that leads out of the archive is an error even where nothing would be written. */
static void test_unsafe_name(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f, "target");
	AUTO_FREE char *path = xstrfmt("%s/evil.tar", f->folder);
	AUTO(strbuf) bytes = STRBUF_INIT;

	fixture_file(f, "x", "x", 1);
	run_command("cd '%s' && tar -P --transform 's,x,../../x,' -cf evil.tar x", f->folder);

	assert_ok(f, fs_read_file(path, &bytes, 1 << 20, &f->err));
	assert_load_fails(f, into, ERROR_CORRUPT, "..", bytes);
}

static void test_wrong_blobs(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f, "target");
	struct digest d = digest_of("abc", 3);
	AUTO_FREE char *name = xstrfmt("blobs/sha256/%s", digest_hex(&d));
	AUTO_FREE char *part = xstrfmt("../target/ingest/%s.part", digest_hex(&d));
	struct packer p, lacking;

	pack_begin(&p);
	pack_text(&p, name, "abd");
	pack_end(&p);
	assert_load_fails(f, into, ERROR_CORRUPT, d.text, p.bytes);
	assert_false(fixture_exists(f, part));
	strbuf_release(&p.bytes);

	AUTO_FREE char *index = xstrfmt("{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\","
					"\"digest\":\"%s\",\"size\":3}]}",
					MEDIA_OCI_MANIFEST, d.text);

	pack_begin(&lacking);
	pack_text(&lacking, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	pack_text(&lacking, "index.json", index);
	pack_end(&lacking);
	assert_load_fails(f, into, ERROR_NOT_FOUND, "index.json names what the archive lacks",
			  lacking.bytes);
	strbuf_release(&lacking.bytes);
	nothing_is_listed(f, into);
}

/* An image whose layer was left out is not listed. */
static void test_missing_layer(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(store) into = open_target(f, "target");
	AUTO_FREE char *path = save_two(f, ARCHIVE_HYBRID);
	AUTO(strbuf) bytes = STRBUF_INIT;
	AUTO(descriptor) d = {0};
	AUTO_PTR(image) image = NULL;

	assert_ok(f, layout_find_text(f->store, "app:one", &d, &f->err));
	assert_ok(f, image_load(&image, f->store, &d, NULL, &f->err));
	run_command("tar --delete -f '%s' blobs/sha256/%s", path,
		    digest_hex(&image->manifest.layers[0].digest));

	assert_ok(f, fs_read_file(path, &bytes, 1 << 20, &f->err));
	assert_load_fails(f, into, ERROR_CORRUPT, "the archive lacks layer", bytes);
}

/* Cut anywhere, it is an error that leaves the store whole and nothing half-written. */
static void test_truncated(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *path = save_two(f, ARCHIVE_HYBRID);
	AUTO(strbuf) bytes = STRBUF_INIT;
	AUTO_PTR(store) into = open_target(f, "target");
	struct fsck_result r;

	assert_ok(f, fs_read_file(path, &bytes, 1 << 20, &f->err));
	/* The last two blocks are the end mark, without which all of it is there still. */
	for (size_t cut = 100; cut < bytes.len - 1024 - 512; cut += 300) {
		AUTO_FREE char *loaded = load_bytes(f, into, bytes.buf, cut);

		if (loaded)
			fail_msg("%zu of %zu bytes gave %s", cut, bytes.len, loaded);
		error_clear(&f->err);
		nothing_is_listed(f, into);
	}
	assert_ok(f, store_fsck(into, false, NULL, &r, &f->err));
	assert_int_equal(r.problems, 0);
	AUTO_FREE char *left = output_of("ls '%s/target/ingest' | wc -l", f->folder);

	assert_string_equal(left, "0\n");
	AUTO_FREE char *loaded = load_bytes(f, into, bytes.buf, bytes.len);

	assert_string_equal(loaded, "app:one,h.example/app:two");
}

/* Names where annotations give none: from manifest.json, else none at all. */
static void test_names(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *path = save_two(f, ARCHIVE_HYBRID);
	AUTO_FREE char *strip = xstrfmt(
		"cd '%s' && mkdir u && tar xf saved -C u && "
		"sed -i 's/\"annotations\":{[^}]*},//g; s/,\"annotations\":{[^}]*}//g' u/index.json",
		f->folder);
	run_command("%s && tar cf saved -C u .", strip);
	AUTO_PTR(store) named = open_target(f, "named");
	AUTO_PTR(store) bare = open_target(f, "bare");
	AUTO(strbuf) bytes = STRBUF_INIT;

	assert_ok(f, fs_read_file(path, &bytes, 1 << 20, &f->err));
	AUTO_FREE char *by_tags = load_bytes(f, named, bytes.buf, bytes.len);

	assert_string_equal(by_tags, "app:one,h.example/app:two");
	run_command("cd '%s' && rm u/manifest.json && tar cf saved -C u .", f->folder);

	strbuf_reset(&bytes);
	assert_ok(f, fs_read_file(path, &bytes, 1 << 20, &f->err));
	AUTO_FREE char *unnamed = load_bytes(f, bare, bytes.buf, bytes.len);
	AUTO_FREE char *want = xstrfmt("%s,%s", lookup(f, "app:one").text,
				       lookup(f, "h.example/app:two").text);

	assert_string_equal(unnamed, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(test_round_trip),    store_test(test_wrapped),
		store_test(test_docker_save),   store_test(test_compressed_layers),
		store_test(test_refused),       store_test(test_strange_archives),
		store_test(test_unsafe_name),   store_test(test_wrong_blobs),
		store_test(test_missing_layer), store_test(test_truncated),
		store_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
