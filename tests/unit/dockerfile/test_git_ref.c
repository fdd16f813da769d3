#include "dockerfile/git_ref.h"

#include <string.h>

#include "base/alloc.h"
#include "testing.h"

#define assert_ok(call)                                          \
	do {                                                     \
		AUTO(error) err_ = ERROR_INIT;                   \
		struct error *err = &err_;                       \
		if ((call) != 0)                                 \
			fail_msg("%s: %s", #call, err->message); \
	} while (0)

/* BuildKit's rules of what counts (dockerfile.md 9, "ADD git"). */
static void kinds(void **state)
{
	static const struct {
		const char *text;
		bool in_add, as_context;
	} rows[] = {
		{"https://example.com/", false, false},
		{"https://example.com/foo", false, false},
		{"https://example.com/foo.git", true, true},
		{"HTTPS://example.com/foo.git", true, true},
		{"https://example.com/foo.git#ref", true, true},
		{"https://example.com/foo.git?ref=x", true, true},
		{"https://example.com/foo.git/", false, false},
		{"https://example.com/foo.git.bar", false, false},
		{"https://example.com/foo?x=.git", false, false},
		{"http://github.com/docker/docker.git:#branch", false, false},
		{"git://example.com/foo", true, true},
		{"ssh://git@example.com/foo", true, true},
		{"git@github.com:moby/buildkit", true, true},
		{"me@host:x", true, true},
		{"git@host/x", false, false},
		{"github.com/moby/buildkit", false, true},
		{"github.com/", false, false},
		{"custom.xyz/moby/buildkit.git", false, false},
		{"./.git", false, false},
		{"../a.git", false, false},
		{".git", false, false},
		{"file:///a.git", false, false},
		{"ftp://h/a.git", false, false},
		{"ext::sh -c x", false, false},
		{"a:b", false, false},
		{"-oProxyCommand@h:x", false, false},
		{"git@-oProxyCommand:x", false, false},
		{"git@h:-x", false, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (git_ref_is(rows[i].text, false) != rows[i].in_add ||
		    git_ref_is(rows[i].text, true) != rows[i].as_context)
			fail_msg("%s", rows[i].text);
}

static void assert_text(const char *found, const char *wanted, const char *of)
{
	if ((!found || !wanted) ? found != wanted : strcmp(found, wanted) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", of, found ? found : "none",
			 wanted ? wanted : "none");
}

static void parts(void **state)
{
	static const struct {
		const char *text, *remote, *ref, *subdir;
	} rows[] = {
		{"https://h/foo.git", "https://h/foo.git", NULL, NULL},
		{"https://h/foo.git#release/1.2", "https://h/foo.git", "release/1.2", NULL},
		{"https://h/bar.git#baz/qux:quux/quuz", "https://h/bar.git", "baz/qux",
		 "quux/quuz"},
		{"https://h/docker.git#:myfolder", "https://h/docker.git", NULL, "myfolder"},
		{"https://h/a.git#:/", "https://h/a.git", NULL, NULL},
		{"https://h/a.git#r:./x//y/", "https://h/a.git", "r", "x/y"},
		{"https://h/a.git#a%2Fb", "https://h/a.git", "a/b", NULL},
		{"https://h/d.git?ref=v1.0.0&subdir=/sub", "https://h/d.git", "v1.0.0", "sub"},
		{"https://h/d.git?tag=v1", "https://h/d.git", "refs/tags/v1", NULL},
		{"https://h/d.git?tag=refs/tags/v1", "https://h/d.git", "refs/tags/v1", NULL},
		{"https://h/d.git?branch=b", "https://h/d.git", "refs/heads/b", NULL},
		{"https://h/d.git?ref=x#x", "https://h/d.git", "x", NULL},
		{"https://h/d.git?commit=ABcd", "https://h/d.git", "abcd", NULL},
		{"git@github.com:moby/buildkit.git#v1:a", "git@github.com:moby/buildkit.git", "v1",
		 "a"},
		{"github.com/moby/buildkit#master", "https://github.com/moby/buildkit", "master",
		 NULL},
		{"ssh://git@h:22/x#y", "ssh://git@h:22/x", "y", NULL},
		{"https://u:p@h/x.git", "https://h/x.git", NULL, NULL},
		{"HTTPS://u@h/x.git", "https://h/x.git", NULL, NULL},
		{"git://h/x?keep-git-dir", "git://h/x", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(git_ref) r = {.remote = NULL};

		assert_ok(git_ref_parse(&r, rows[i].text, err));
		assert_text(r.remote, rows[i].remote, rows[i].text);
		assert_text(r.ref, rows[i].ref, rows[i].text);
		assert_text(r.subdir, rows[i].subdir, rows[i].text);
	}
}

static void choices(void **state)
{
	AUTO(git_ref) r = {.remote = NULL};
	AUTO(git_ref) plain = {.remote = NULL};

	(void)state;
	assert_ok(git_ref_parse(&r,
				"https://a%40b:p%3A@h/x.git?keep-git-dir&submodules=0&"
				"mtime=checkout&checksum=AB12",
				err));
	assert_int_equal(r.keep_git_dir, GIT_YES);
	assert_int_equal(r.submodules, GIT_NO);
	assert_true(r.checkout_times);
	assert_string_equal(r.checksum, "ab12");
	assert_string_equal(r.ref, "ab12");
	assert_string_equal(r.userinfo, "a@b:p:");
	assert_ok(git_ref_parse(&plain, "https://h/x.git", err));
	assert_int_equal(plain.keep_git_dir, GIT_UNSET);
	assert_int_equal(plain.submodules, GIT_UNSET);
	assert_false(plain.checkout_times);
}

/* Nothing may be an option of git, leave the repository, or be ambiguous (registry-sandbox.md E 54). */
static void refusals(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"https://h/x.git#--upload-pack=sh", "not a valid git ref"},
		{"https://h/x.git#a..b", "not a valid git ref"},
		{"https://h/x.git#a b", "not a valid git ref"},
		{"https://h/x.git#a%0Ab", "not a valid git ref"},
		{"https://h/x.git#*", "not a valid git ref"},
		{"https://h/x.git#HEAD~1", "not a valid git ref"},
		{"https://h/x.git#a@{1}", "not a valid git ref"},
		{"https://h/x.git#:../../etc", "leads out of the git repository"},
		{"https://h/x.git?subdir=a/../../b", "leads out of the git repository"},
		{"https://h/x.git#:..", "leads out of the git repository"},
		{"https://-oProxyCommand=x/y.git", "without a host"},
		{"ssh://-oProxyCommand=x/y", "without a host"},
		{"ssh:///y", "without a host"},
		{"ssh://-u@h/y", "without a host"},
		{"ssh://u:p@h/y", "with a password"},
		{"https://h/x y.git", "blank or control"},
		{"https://h/x.git?colour=red", "unexpected query \"colour\""},
		{"https://h/x.git?ref=", "query \"ref\" has no value"},
		{"https://h/x.git?ref=a&ref=b", "multiple values"},
		{"https://h/x.git?ref=a#b", "ref conflicts: \"b\" vs \"a\""},
		{"https://h/x.git?tag=a&branch=b", "conflicts"},
		{"https://h/x.git?submodules=maybe", "invalid submodules value"},
		{"https://h/x.git?mtime=now", "invalid mtime value"},
		{"https://h/x.git?checksum=sha1:x", "invalid checksum"},
		{"https://h/x.git#%zz", "invalid % escape"},
		{"https://h/x.git#a%00b", "invalid %00"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(error) err = ERROR_INIT;
		struct git_ref r;

		if (git_ref_parse(&r, rows[i].text, &err) != -1)
			fail_msg("%s was taken", rows[i].text);
		assert_int_equal(err.kind, ERROR_SYNTAX);
		if (!strstr(err.message, rows[i].message))
			fail_msg("%s: %s", rows[i].text, err.message);
	}
}

static void secrets_are_not_shown(void **state)
{
	AUTO_FREE char *shown = git_ref_redact("https://u:secret@h:8/x.git?token=secret#r:d");
	AUTO(error) err = ERROR_INIT;
	struct git_ref r;

	(void)state;
	assert_string_equal(shown, "https://h:8/x.git#r:d");
	assert_int_equal(git_ref_parse(&r, "https://u:secret@h/x.git?a=secret", &err), -1);
	assert_null(strstr(err.message, "secret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(parts),
		cmocka_unit_test(choices),
		cmocka_unit_test(refusals),
		cmocka_unit_test(secrets_are_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
