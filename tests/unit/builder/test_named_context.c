#include "builder/named_context.h"

#include "build_fixture.h"

static const struct platform amd64 = {.os = (char[]){"linux"}, .arch = (char[]){"amd64"}};

static struct named_contexts open_contexts(struct build_fixture *f, const char *name,
					   const char *source, struct build_named_context *given,
					   struct build_options *o)
{
	struct named_contexts c;

	*given = (struct build_named_context){.name = name, .source = source};
	*o = (struct build_options){.named_contexts = given, .n_named_contexts = 1};
	assert_ok(named_contexts_init(&c, f->store, o, err));
	return c;
}

/* As buildx compares them: normalised names without ":latest". */
static void names(void **state)
{
	static const struct {
		const char *given, *asked;
		bool found;
	} rows[] = {
		{"debian", "debian", true},
		{"debian", "docker.io/library/debian:latest", true},
		{"docker.io/library/debian:12", "debian:12", true},
		{"debian", "debian:12", false},
		{"debian:12", "debian", false},
		{"localhost:5000/a:x", "localhost:5000/a:x", true},
		{"Mixed Case!", "mixed case!", true},
		{"src", "other", false},
	};
	struct build_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct build_named_context given;
		struct build_options o;
		struct named_contexts c = open_contexts(f, rows[i].given, "/x", &given, &o);

		if ((named_context_find(&c, rows[i].asked, &amd64) != NULL) != rows[i].found)
			fail_msg("%s as %s", rows[i].given, rows[i].asked);
		named_contexts_release(&c);
	}
}

static void sources(void **state)
{
#define DIGEST "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	static const struct {
		const char *source;
		enum named_kind kind;
		const char *path, *tag, *digest;
	} rows[] = {
		{"../sub", NAMED_FOLDER, "../sub", NULL, ""},
		{"/a:b", NAMED_FOLDER, "/a:b", NULL, ""},
		{"docker-image://alpine:3", NAMED_IMAGE, NULL, NULL, ""},
		{"oci-layout:///a/b", NAMED_LAYOUT, "/a/b", NULL, ""},
		{"oci-layout://a:tag", NAMED_LAYOUT, "a", "tag", ""},
		{"oci-layout:/a/b:1.2", NAMED_LAYOUT, "/a/b", "1.2", ""},
		{"oci-layout:/a:b/c", NAMED_LAYOUT, "/a:b/c", NULL, ""},
		{"oci-layout:///a@" DIGEST, NAMED_LAYOUT, "/a", NULL, DIGEST},
		{"oci-layout:///a:t@" DIGEST, NAMED_LAYOUT, "/a", NULL, DIGEST},
		{"target:build", NAMED_TARGET, "build", NULL, ""},
		{"docker-image://scratch", NAMED_SCRATCH, NULL, NULL, ""},
		{"https://github.com/o/r.git", NAMED_GIT, NULL, NULL, ""},
		{"git@github.com:o/r", NAMED_GIT, NULL, NULL, ""},
		{"github.com/o/r", NAMED_GIT, NULL, NULL, ""},
		{"https://h/a.tar.gz", NAMED_URL, "https://h/a.tar.gz", NULL, ""},
	};
	struct build_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct build_named_context given;
		struct build_options o;
		struct named_contexts c = open_contexts(f, "n", rows[i].source, &given, &o);
		const struct named_context *nc = named_context_find(&c, "n", &amd64);

		assert_int_equal(nc->kind, rows[i].kind);
		if (rows[i].path)
			assert_string_equal(nc->path, rows[i].path);
		if (rows[i].tag)
			assert_string_equal(nc->tag, rows[i].tag);
		else
			assert_null(nc->tag);
		assert_string_equal(nc->digest.text, rows[i].digest);
		named_contexts_release(&c);
	}
}

static void refused_sources(void **state)
{
	static const struct {
		const char *source;
		enum error_kind kind;
		const char *text;
	} rows[] = {
		{"input:build", ERROR_UNSUPPORTED, "n=input:build"},
		{"file:///a", ERROR_UNSUPPORTED, "n=file:///a"},
		{"target:", ERROR_USAGE, "empty"},
		{"https://u:secret@h/r.git#-x", ERROR_SYNTAX, "n=https://h/r.git#-x"},
		{"docker-image://UPPER", ERROR_USAGE, "docker-image://UPPER"},
		{"oci-layout:///a@sha256:1", ERROR_SYNTAX, "/a@sha256:1"},
		{"", ERROR_USAGE, "empty"},
	};
	struct build_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct build_named_context given = {.name = "n", .source = rows[i].source};
		const struct build_options o = {.named_contexts = &given, .n_named_contexts = 1};
		struct named_contexts c;

		assert_error(named_contexts_init(&c, f->store, &o, err), rows[i].kind,
			     rows[i].text);
		named_contexts_release(&c);
	}
}

static void the_last_of_a_name_counts(void **state)
{
	struct build_fixture *f = *state;
	const struct build_named_context given[] = {{"n", "/a"}, {"n:latest", "/b"}};
	const struct build_options o = {.named_contexts = given, .n_named_contexts = 2};
	struct named_contexts c;

	assert_ok(named_contexts_init(&c, f->store, &o, err));
	assert_string_equal(named_context_find(&c, "n", &amd64)->path, "/b");
	named_contexts_release(&c);
}

/* BuildKit's frontend asks for NAME::PLATFORM, normalised, and then for NAME. */
static void names_of_one_platform(void **state)
{
	static const struct {
		const char *name, *os, *arch, *variant, *path;
	} rows[] = {
		{"debian", "linux", "arm64", NULL, "/arm64"},
		{"docker.io/library/debian:latest", "linux", "arm64", NULL, "/arm64"},
		{"debian", "linux", "amd64", NULL, "/all"},
		{"debian", "linux", "arm", "v7", "/all"},
		{"only", "linux", "arm", "v7", "/v7"},
		{"only", "linux", "arm", "v6", NULL},
		{"only", "linux", "amd64", NULL, NULL},
		{"[::1]:5000/a", "linux", "amd64", NULL, "/ipv6"},
		{"[::1]:5000/b", "linux", "amd64", NULL, "/ipv6-amd64"},
		{"[::1]:5000/b", "linux", "386", NULL, NULL},
	};
	static const struct build_named_context given[] = {
		{"debian::linux/arm64/v8", "/early"},
		{"debian:latest::linux/aarch64", "/arm64"},
		{"debian", "/all"},
		{"only::linux/arm", "/v7"},
		{"[::1]:5000/a", "/ipv6"},
		{"[::1]:5000/b::amd64", "/ipv6-amd64"},
	};
	struct build_fixture *f = *state;
	const struct build_options o = {.named_contexts = given,
					.n_named_contexts = ARRAY_SIZE(given)};
	struct named_contexts c;

	assert_ok(named_contexts_init(&c, f->store, &o, err));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(platform)
		p = {.os = xstrdup(rows[i].os),
		     .arch = xstrdup(rows[i].arch),
		     .variant = xstrdup_null(rows[i].variant)};
		const struct named_context *nc = named_context_find(&c, rows[i].name, &p);

		if (!rows[i].path)
			assert_null(nc);
		else
			assert_string_equal(nc->path, rows[i].path);
	}
	named_contexts_release(&c);
}

static void refused_names(void **state)
{
	static const char *const rows[] = {"n::", "n::linux/amd64/v1/x", "n::lin ux/amd64",
					   "::linux/amd64"};
	struct build_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct build_named_context given = {.name = rows[i], .source = "/x"};
		const struct build_options o = {.named_contexts = &given, .n_named_contexts = 1};
		struct named_contexts c;

		assert_error(named_contexts_init(&c, f->store, &o, err), ERROR_USAGE, rows[i]);
		named_contexts_release(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(sources),
		cmocka_unit_test(refused_sources),
		cmocka_unit_test(the_last_of_a_name_counts),
		cmocka_unit_test(names_of_one_platform),
		cmocka_unit_test(refused_names),
	};

	return cmocka_run_group_tests(tests, build_fixture_setup, build_fixture_teardown);
}
