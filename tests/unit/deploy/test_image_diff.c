#include "image_fixture.h"

#include "deploy/image_diff.h"

static void save(struct fixture *f, struct image *image)
{
	assert_ok(f, image_save(image, f->store, &f->err));
}

static struct image_diff diff_of(struct fixture *f, struct image *old, struct image *now,
				 size_t lines)
{
	struct image_diff d = {.same = false};

	save(f, old);
	save(f, now);
	assert_ok(f, image_diff_read(&d, f->store, old, now, lines, &f->err));
	return d;
}

static void assert_lines(const struct strlist *lines, const char *wanted)
{
	AUTO_FREE char *text = strlist_join(lines, "\n");

	assert_string_equal(text, wanted);
}

#define BASE(f, image)                                                           \
	LAYER(f, image, FOLDER("etc"), FILE_("etc/a", "a"), FILE_("etc/b", "b"), \
	      LINK_("l", "etc/a"))

static void files_are_compared_by_what_they_are(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) old = new_image();
	AUTO_PTR(image) now = new_image();
	AUTO(image_diff) d = {.same = false};

	BASE(f, old);
	LAYER(f, old, FOLDER("app"), FOLDER("app/dir"), FILE_("app/dir/1", "1"),
	      FILE_("app/dir/2", "2"), FILE_("app/gone", "x"), FILE_("app/mode", "x"),
	      FILE_("app/same", "x"), FILE_("kind", "x"));
	BASE(f, now);
	/* Other times mean nothing; a whiteout takes a file of the base away. */
	LAYER(f, now, FOLDER("app"), FILE_X("app/mode", "x"), {ENTRY_FILE, "app/new", "x", 0644, 5},
	      {ENTRY_FILE, "app/same", "x", 0644, 99}, FOLDER("etc"), WHITEOUT("etc/b"),
	      FILE_("etc/a", "changed"), LINK_("kind", "app"), LINK_("l", "etc/b"), FOLDER("void"));
	d = diff_of(f, old, now, 20);
	assert_int_equal(d.same_layers, 1);
	assert_true(d.files_known);
	assert_lines(
		&d.files,
		"- app/dir/ (2 files)\n- app/gone\n~ app/mode\n+ app/new\n~ etc/a\n- etc/b\n~ kind\n~ l\n+ void/");
	assert_int_equal(d.added, 2);
	assert_int_equal(d.removed, 4);
	assert_int_equal(d.changed, 4);
}

static void many_are_summed_up_by_folder(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) old = new_image();
	AUTO_PTR(image) now = new_image();
	AUTO(image_diff) d = {.same = false};
	AUTO(strlist) lines = STRLIST_INIT;

	LAYER(f, old, FOLDER("a"), FILE_("a/1", "x"), FILE_("a/2", "x"), FOLDER("b"),
	      FILE_("b/1", "x"), FOLDER("c"), FILE_("c/1", "x"));
	LAYER(f, now, FOLDER("a"), FILE_("a/1", "y"), FILE_("a/3", "x"), FILE_("a/4", "x"),
	      FOLDER("b"), FILE_("b/1", "y"), FOLDER("c"), FILE_("c/1", "y"), FILE_("c/2", "y"));
	d = diff_of(f, old, now, 2);
	assert_lines(&d.files, "a/: 2 added, 1 removed, 1 changed\nc/: 1 added, 1 changed");
	assert_int_equal(d.n_more, 1);
	image_diff_lines(&d, &lines);
	assert_string_equal(lines.items[2], "... and 1 more");
	assert_string_equal(lines.items[3], "files: 3 added, 1 removed, 3 changed");
}

static void configurations_are_compared(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) old = new_image();
	AUTO_PTR(image) now = new_image();
	AUTO(image_diff) d = {.same = false};

	BASE(f, old);
	BASE(f, now);
	strlist_add(&old->config.env, "PORT=80");
	strlist_add(&old->config.env, "SAME=1");
	strlist_add(&old->config.env, "API_TOKEN=abc");
	strlist_add(&now->config.env, "PORT=81");
	strlist_add(&now->config.env, "SAME=1");
	strlist_add(&now->config.env, "API_TOKEN=def");
	strlist_add(&now->config.env, "NEW=\033[31m");
	strlist_add(&old->config.cmd, "run");
	strlist_add(&now->config.cmd, "run");
	strlist_add(&now->config.cmd, "--fast");
	now->config.user = xstrdup("web");
	old->config.working_dir = xstrdup("/old");
	image_config_add_port(&old->config, "80/tcp");
	image_config_add_port(&now->config, "443/tcp");
	strmap_set(&now->config.labels, "version", "2");
	now->config.has_healthcheck = true;
	strlist_add(&now->config.healthcheck.test, "NONE");
	d = diff_of(f, old, now, 20);
	assert_lines(
		&d.config,
		"- env PORT: 80\n+ env PORT: 81\n- env API_TOKEN: (hidden)\n+ env API_TOKEN: (hidden)\n"
		"+ env NEW: \\x1b[31m\n- cmd: [\"run\"]\n+ cmd: [\"run\",\"--fast\"]\n+ user: web\n- workdir: /old\n"
		"- port 80/tcp\n+ port 443/tcp\n"
		"+ health check: [\"NONE\"] interval 0s timeout 0s start period 0s retries 0\n+ label version: 2");
	assert_true(d.files_known);
	assert_int_equal(d.files.n, 0);
}

static void packages_are_read_from_their_lists(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) old = new_image();
	AUTO_PTR(image) now = new_image();
	AUTO(image_diff) d = {.same = false};

	LAYER(f, old, FOLDER("lib"), FOLDER("lib/apk"), FOLDER("lib/apk/db"),
	      FILE_("lib/apk/db/installed", "C:Q1x=\nP:musl\nV:1.2.3-r0\n\nP:zlib\nV:1\n\n"),
	      FOLDER("usr"), FOLDER("usr/lib"), FOLDER("usr/lib/x"),
	      FOLDER("usr/lib/x/flask-2.0.dist-info"), FOLDER("usr/lib/x/six-1.16.dist-info"),
	      FOLDER("var"), FOLDER("var/lib"), FOLDER("var/lib/dpkg"),
	      FILE_("var/lib/dpkg/status",
		    "Package: curl\nStatus: install ok installed\nVersion: 7.88\nDescription: x\n Version: 9\n\n"
		    "Package: left\nStatus: deinstall ok config-files\nVersion: 1\n\n"
		    "Package: wget\nStatus: install ok installed\nVersion: 1:2-3\n"));
	LAYER(f, now, FOLDER("lib"), FOLDER("lib/apk"), FOLDER("lib/apk/db"),
	      FILE_("lib/apk/db/installed", "P:musl\nV:1.2.4-r0\n\n"), FOLDER("usr"),
	      FOLDER("usr/lib"), FOLDER("usr/lib/x"), FOLDER("usr/lib/x/flask-3.0.dist-info"),
	      FOLDER("var"), FOLDER("var/lib"), FOLDER("var/lib/dpkg"),
	      FILE_("var/lib/dpkg/status",
		    "Package: curl\nStatus: install ok installed\nVersion: 8.0\n\n"),
	      FOLDER("var/lib/dpkg/status.d"),
	      FILE_("var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\n"),
	      FILE_("var/lib/dpkg/status.d/tzdata.md5sums", "Package: no\nVersion: 1\n"));
	d = diff_of(f, old, now, 1);
	assert_lines(
		&d.packages,
		"~ curl 7.88 -> 8.0\n~ musl 1.2.3-r0 -> 1.2.4-r0\n~ python:flask 2.0 -> 3.0\n- python:six 1.16\n"
		"+ tzdata 2024a\n- wget 1:2-3\n- zlib 1");
}

static void the_same_image_has_no_lines(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = new_image();
	AUTO(image_diff) d = {.same = false};
	AUTO(strlist) lines = STRLIST_INIT;

	BASE(f, image);
	d = diff_of(f, image, image, 10);
	assert_true(d.same);
	image_diff_lines(&d, &lines);
	assert_int_equal(lines.n, 0);
}

static void forget(struct fixture *f, const struct image *image, size_t layer)
{
	const char *hex = digest_hex(&image->config.diff_ids[layer]);
	AUTO_FREE char *index = store_path(f->store, "meta/index/%s", hex);

	assert_ok(f, store_delete_blob(f->store, &image->manifest.layers[layer].digest, &f->err));
	assert_int_equal(unlink(index), 0);
}

static void layers_that_are_not_here_are_named(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) old = new_image();
	AUTO_PTR(image) now = new_image();
	AUTO(image_diff) d = {.same = false};
	AUTO(strlist) lines = STRLIST_INIT;
	AUTO(strbuf) wanted = STRBUF_INIT;
	char digest[24];

	BASE(f, old);
	BASE(f, now);
	LAYER(f, old, FILE_("x", "1"));
	LAYER(f, now, FILE_("x", "2"));
	save(f, old);
	save(f, now);
	forget(f, old, 1);
	assert_ok(f, image_diff_read(&d, f->store, old, now, 10, &f->err));
	assert_false(d.files_known);
	digest_short(&old->manifest.layers[1].digest, digest);
	strbuf_printf(&wanted, "layer %s (%lldB) is not here", digest,
		      (long long)old->manifest.layers[1].size);
	assert_lines(&d.missing, wanted.buf);
	image_diff_lines(&d, &lines);
	assert_true(strlist_has(&lines, "files: not compared, layers are not here"));
}

/* Of a base that was never pulled what lies above it is compared all the same. */
static void a_base_that_is_not_here_is_left_out(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) old = new_image();
	AUTO_PTR(image) now = new_image();
	AUTO(image_diff) d = {.same = false};

	BASE(f, old);
	BASE(f, now);
	LAYER(f, old, FILE_("x", "1"));
	LAYER(f, now, FILE_("x", "2"), FILE_("y", "2"));
	save(f, old);
	save(f, now);
	forget(f, old, 0);
	assert_ok(f, image_diff_read(&d, f->store, old, now, 10, &f->err));
	assert_true(d.files_known);
	assert_int_equal(d.missing.n, 0);
	assert_lines(&d.files, "~ x\n+ y");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(files_are_compared_by_what_they_are),
		store_test(many_are_summed_up_by_folder),
		store_test(configurations_are_compared),
		store_test(packages_are_read_from_their_lists),
		store_test(the_same_image_has_no_lines),
		store_test(layers_that_are_not_here_are_named),
		store_test(a_base_that_is_not_here_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
