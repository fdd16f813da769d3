#include "image_fixture.h"

#include "deploy/image_facts.h"

static struct image_facts facts_of(struct fixture *f, const struct image *image,
				   const struct image_overrides *instead)
{
	struct image_facts facts = {.config = NULL};
	const struct image_overrides none = {.path = NULL};

	assert_ok(f, image_facts_read(&facts, f->store, image, instead ? instead : &none, &f->err));
	return facts;
}

/* A small system: /bin is a link, as in Debian. */
static struct image *small_system(struct fixture *f)
{
	struct image *image = new_image();

	LAYER(f, image, LINK_("bin", "usr/bin"), FOLDER("etc"),
	      FILE_("etc/passwd", "root:x:0:0::/:/bin/sh\nweb:x:7:7::/:\n"), FOLDER("usr"),
	      FOLDER("usr/bin"), FILE_X("usr/bin/dash", "\177ELF"),
	      FILE_X("usr/bin/env", "\177ELF"), FILE_("usr/bin/plain", "x"),
	      LINK_("usr/bin/sh", "dash"));
	LAYER(f, image, FOLDER("app"), FILE_X("app/crlf", "#!/bin/sh\r\nx\n"),
	      FILE_X("app/env", "#!/usr/bin/env -S x\n"),
	      FILE_X("app/found", "#!/usr/bin/env sh\n"),
	      FILE_X("app/lost", "#!/usr/bin/env python3\n"),
	      FILE_X("app/none", "#!/usr/local/bin/python -u\n"), FILE_("app/plain", "#!/bin/sh\n"),
	      FILE_X("app/run", "#! /bin/sh -e\n"));
	return image;
}

struct program_row {
	const char *word, *dir;
	enum program_state state;
	const char *path, *interpreter;
	bool crlf;
};

static const struct program_row program_rows[] = {
	{"/app/run", NULL, PROGRAM_OK, "/app/run", NULL, false},
	{"app/run", NULL, PROGRAM_OK, "/app/run", NULL, false},
	{"./run", "/app", PROGRAM_OK, "/app/run", NULL, false},
	{"./run", NULL, PROGRAM_MISSING, NULL, NULL, false},
	{"/app/found", NULL, PROGRAM_OK, "/app/found", NULL, false},
	{"/app/env", NULL, PROGRAM_OK, "/app/env", NULL, false},
	{"/app/lost", NULL, PROGRAM_OK, "/app/lost", "python3", false},
	{"/app/none", NULL, PROGRAM_OK, "/app/none", "/usr/local/bin/python", false},
	{"/app/crlf", NULL, PROGRAM_OK, "/app/crlf", NULL, true},
	{"/app/plain", NULL, PROGRAM_NOT_EXECUTABLE, "/app/plain", NULL, false},
	{"/app", NULL, PROGRAM_NOT_EXECUTABLE, "/app", NULL, false},
	{"/gone", NULL, PROGRAM_MISSING, NULL, NULL, false},
	{"sh", NULL, PROGRAM_OK, "/usr/bin/sh", NULL, false},
	{"plain", NULL, PROGRAM_NOT_EXECUTABLE, "/usr/bin/plain", NULL, false},
	{"run", NULL, PROGRAM_MISSING, NULL, NULL, false},
	{"/bin/dash", NULL, PROGRAM_OK, "/bin/dash", NULL, false},
};

static void programs_are_found_as_the_kernel_finds_them(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = small_system(f);

	for (size_t i = 0; i < ARRAY_SIZE(program_rows); i++) {
		const struct program_row *r = &program_rows[i];
		AUTO(strlist) words = STRLIST_INIT;
		AUTO(image_facts) facts = {.config = NULL};

		strlist_add(&words, r->word);
		facts = facts_of(
			f, image,
			&(struct image_overrides){.entrypoint = &words, .working_dir = r->dir});
		if (facts.program.state != r->state || facts.program.crlf != r->crlf ||
		    strcmp(facts.program.path ? facts.program.path : "-",
			   r->path ? r->path : "-") != 0 ||
		    strcmp(facts.program.interpreter ? facts.program.interpreter : "-",
			   r->interpreter ? r->interpreter : "-") != 0)
			fail_msg("%s: state %d, path %s, interpreter %s", r->word,
				 (int)facts.program.state, facts.program.path,
				 facts.program.interpreter);
	}
}

static void what_the_task_says_counts_before_the_image(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = small_system(f);
	AUTO(strlist) words = STRLIST_INIT;
	AUTO(image_facts) none = facts_of(f, image, NULL);
	AUTO(image_facts) cmd = {.config = NULL};
	AUTO(image_facts) entry = {.config = NULL};
	AUTO(image_facts) on_path = {.config = NULL};

	assert_int_equal(none.program.state, PROGRAM_NONE);
	strlist_add(&image->config.cmd, "gone");
	strlist_add(&words, "run");
	cmd = facts_of(f, image, NULL);
	assert_string_equal(cmd.program.name, "gone");
	entry = facts_of(f, image, &(struct image_overrides){.command = &words});
	assert_string_equal(entry.program.name, "run");
	assert_int_equal(entry.program.state, PROGRAM_MISSING);
	on_path = facts_of(f, image,
			   &(struct image_overrides){.command = &words, .path = "/bin:/app"});
	assert_string_equal(on_path.program.path, "/app/run");
}

struct user_row {
	const char *user;
	bool known;
};

static const struct user_row user_rows[] = {
	{NULL, true},   {"", true},    {"root", true}, {"web", true},   {"web:staff", true},
	{"1000", true}, {"0:0", true}, {"we", false},  {"webb", false}, {"nobody", false},
};

static void users_are_looked_up_in_passwd(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = small_system(f);
	AUTO_PTR(image) bare = new_image();

	LAYER(f, bare, FILE_X("app", "x"));
	for (size_t i = 0; i < ARRAY_SIZE(user_rows); i++) {
		const struct image_overrides instead = {.user = user_rows[i].user};
		AUTO(image_facts) facts = facts_of(f, image, &instead);
		AUTO(image_facts) without = facts_of(f, bare, &instead);

		if (facts.user_known != user_rows[i].known)
			fail_msg("%s", user_rows[i].user);
		/* Without passwd only root and numbers are users. */
		assert_int_equal(without.user_known,
				 user_rows[i].known && !(user_rows[i].user &&
							 str_starts(user_rows[i].user, "web")));
	}
}

static void shell_and_sizes(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = small_system(f);
	AUTO_PTR(image) bare = new_image();
	AUTO(image_facts) with = facts_of(f, image, NULL);
	AUTO(image_facts) without = {.config = NULL};

	LAYER(f, bare, FILE_X("app", "12345"));
	LAYER(f, bare, WHITEOUT("app"), FILE_X("new", "123"));
	without = facts_of(f, bare, NULL);
	assert_true(with.has_shell);
	assert_false(without.has_shell);
	/* Hidden files stay on the disk. */
	assert_int_equal(without.uncompressed, 8);
	assert_int_equal(without.compressed,
			 bare->manifest.layers[0].size + bare->manifest.layers[1].size);
}

static void of_a_layer_that_is_not_here_nothing_is_known(void **state)
{
	struct fixture *f = *state;
	AUTO_PTR(image) image = small_system(f);
	AUTO(image_facts) facts = {.config = NULL};
	AUTO_FREE char *index = store_path(f->store, "meta/index");

	assert_ok(f, store_delete_blob(f->store, &image->manifest.layers[0].digest, &f->err));
	assert_ok(f, fs_remove_tree(AT_FDCWD, index, &f->err));
	strlist_add(&image->config.cmd, "gone");
	facts = facts_of(f, image, NULL);
	assert_false(facts.tree_known);
	assert_int_equal(facts.uncompressed, -1);
	assert_int_equal(facts.program.state, PROGRAM_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(programs_are_found_as_the_kernel_finds_them),
		store_test(what_the_task_says_counts_before_the_image),
		store_test(users_are_looked_up_in_passwd),
		store_test(shell_and_sizes),
		store_test(of_a_layer_that_is_not_here_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
