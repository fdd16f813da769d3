#include "dockerfile/mount.h"

#include "testing.h"

static const char *lookup(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "X") == 0 ? "x" : strcmp(name, "T") == 0 ? "cache" : NULL;
}

static const struct expand_scope scope = {.lookup = lookup, .escape = '\\'};

static void mounts(void **state)
{
	static const struct row rows[] = {
		{"target=/a", " bind{ source=/ target=/a ro }"},
		{"type=bind,from=b,source=c/../d,target=e",
		 " bind{ from=b source=/d target=e ro }"},
		{"TYPE=Bind,SRC=/a,Dst=/b,rw", " bind{ source=/a target=/b rw }"},
		{"destination=/b,readwrite=true", " bind{ source=/ target=/b rw }"},
		{"target=/b,rw,ro", " bind{ source=/ target=/b ro }"},
		{"target=/b,readonly=false", " bind{ source=/ target=/b rw }"},
		{"from=,target=/b", " bind{ source=/ target=/b ro }"},
		{"\"source=a,b\",target=/c", " bind{ source=/a,b target=/c ro }"},
		{"source=../../x,target=/c", " bind{ source=/x target=/c ro }"},
		{"type=bind", " bind{ source=/ target= ro }"},
		{"type=cache,target=/c/./d/", " cache{ source=/ target=/c/./d/ id=/c/d sharing=0 "
					      "0755:0:0 rw }"},
		{"type=cache,id=$X,target=/c,sharing=Locked,uid=1,gid=2,mode=0700,ro",
		 " cache{ source=/ target=/c id=x sharing=2 0700:1:2! ro }"},
		{"type=$T,target=/$X,sharing=private",
		 " cache{ source=/ target=/x id=/x sharing=1 0755:0:0 rw }"},
		{"type=cache,target=/c,from=s,source=/y",
		 " cache{ from=s source=/y target=/c id=/c sharing=0 0755:0:0 rw }"},
		{"type=tmpfs,target=/t,size=64m", " tmpfs{ source=/ target=/t size=67108864 rw }"},
		{"type=secret,id=a", " secret{ target=/run/secrets/a id=a 0400:0:0 ro }"},
		{"type=secret,source=a/b", " secret{ target=/run/secrets/b id=a/b 0400:0:0 ro }"},
		{"type=secret,target=/etc/k", " secret{ target=/etc/k id=k 0400:0:0 ro }"},
		{"type=secret,id=a,env=K,required", " secret{ id=a env=K 0400:0:0 ro required }"},
		{"type=secret,id=a,env=K,target=/t,required=false",
		 " secret{ target=/t id=a env=K 0400:0:0 ro }"},
		{"required,type=secret,id=a,mode=444,uid=4294967294",
		 " secret{ target=/run/secrets/a id=a 0444:4294967294:0! ro required }"},
		{"type=ssh", " ssh{ id=default 0600:0:0 ro }"},
		{"type=ssh,id=k,target=/s,required", " ssh{ target=/s id=k 0600:0:0 ro required }"},
	};
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(run_mount) m = {0};
		AUTO(run_mount) unexpanded = {0};
		AUTO(error) err = ERROR_INIT;
		AUTO(strbuf) out = STRBUF_INIT;

		assert_int_equal(mount_parse(&unexpanded, rows[i].text, NULL, NULL, NULL), 0);
		if (mount_parse(&m, rows[i].text, &scope, NULL, &err) == 0)
			describe_mount(&out, &m);
		else
			strbuf_puts(&out, err.message);
		if (strcmp(out.buf, rows[i].expected) == 0)
			continue;
		bad++;
		print_error("%s\n  expected %s\n  got      %s\n", rows[i].text, rows[i].expected,
			    out.buf);
	}
	assert_int_equal(bad, 0);
}

/* Each is found in the file already: the second parse only happens when a step runs. */
static void mistakes(void **state)
{
	static const struct row rows[] = {
		{"", "failed to parse csv mounts: empty value"},
		{"a\"b", "failed to parse csv mounts"},
		{"typ=bind", "unexpected key 'typ' in 'typ=bind' (did you mean type?)"},
		{"type=bnd", "unsupported mount type \"bnd\" (did you mean bind?)"},
		{"type=npipe", "unsupported mount type \"npipe\""},
		{"target", "invalid field 'target' must be a key=value pair"},
		{",", "unexpected key ''"},
		{"target=/a,ro=x", "invalid value for ro: x"},
		{"type=cache,target=/a,sharing=lock", "unsupported sharing value \"lock\""},
		{"target=/a,sharing=locked", "invalid cache sharing set for bind mount"},
		{"type=secret,id=a,sharing=locked", "invalid cache sharing set for secret mount"},
		{"target=/a,size=1m", "unexpected key 'size' for mount type 'bind'"},
		{"target=/a,required", "unexpected key 'required' for mount type 'bind'"},
		{"type=cache,target=/a,env=X", "unexpected key 'env' for mount type 'cache'"},
		{"target=/a,mode=0755", "mode not allowed for \"bind\" type mounts"},
		{"type=tmpfs,target=/a,uid=1", "uid not allowed for \"tmpfs\" type mounts"},
		{"type=tmpfs,target=/a,gid=1", "gid not allowed for \"tmpfs\" type mounts"},
		{"type=secret,id=a,env=", "env= is no name of a variable"},
		{"type=secret,id=a,env=A=B", "env=A=B is no name of a variable"},
		{"type=secret,from=a,id=b", "secret mount should not have a from"},
		{"type=secret", "invalid secret mount. one of source, target required"},
		{"type=secret,id=a,source=b", "both source and id can't be set"},
		{"type=ssh,source=a", "ssh does not support source"},
		{"type=cache,target=/a,mode=9", "invalid value 9 for mode"},
		{"type=cache,target=/a,mode=10000", "invalid value 10000 for mode"},
		{"type=cache,target=/a,uid=-1", "invalid value -1 for uid"},
		{"type=cache,target=/a,uid=4294967295", "invalid value 4294967295 for uid"},
		{"type=cache,target=/a,gid=x", "invalid value x for gid"},
		{"type=tmpfs,target=/a,size=-1m", "invalid value for size"},
		{"type=tmpfs,target=/a,size=0", "out of range"},
		{"from=$X,target=/a",
		 "'from' doesn't support variable expansion, define alias stage instead"},
	};
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(run_mount) m = {0};
		AUTO(error) err = ERROR_INIT;
		int r = mount_parse(&m, rows[i].text, NULL, NULL, &err);

		if (r == -1 && err.kind == ERROR_SYNTAX && strstr(err.message, rows[i].expected))
			continue;
		bad++;
		print_error("%s\n  expected %s\n  got      %s\n", rows[i].text, rows[i].expected,
			    err.message ? err.message : "nothing");
	}
	assert_int_equal(bad, 0);
}

static void variables_wait_for_their_values(void **state)
{
	static const char *const texts[] = {
		"type=cache,target=/a,mode=$M",
		"type=$T,target=/x,sharing=locked",
		"type=secret,id=$I",
		"target=/a,ro=$R",
		"type=tmpfs,target=/x,size=$S",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(run_mount) m = {0};

		assert_int_equal(mount_parse(&m, texts[i], NULL, NULL, NULL), 0);
	}
}

static void targets(void **state)
{
	static const struct {
		const char *text, *workdir, *expected;
	} rows[] = {
		{"target=/a/../b/", "/w", "/b"}, {"target=a", "/w", "/w/a"},
		{"target=.", "/w", "/w"},        {"type=bind", "/w", "/w"},
		{"target=a", "/", "/a"},         {"target=/", "/w", NULL},
		{"target=.", "/", NULL},         {"target=..", "/w", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(run_mount) m = {0};
		AUTO(error) err = ERROR_INIT;
		AUTO_FREE char *target = NULL;

		assert_int_equal(mount_parse(&m, rows[i].text, &scope, NULL, NULL), 0);
		assert_int_equal(mount_target(&target, &m, rows[i].workdir, &err),
				 rows[i].expected ? 0 : -1);
		if (rows[i].expected)
			assert_string_equal(target, rows[i].expected);
		else
			assert_non_null(strstr(err.message, "invalid mount target \"/\""));
	}
	run_mount_release(NULL);
}

static void from_is_known_before_expansion(void **state)
{
	AUTO(run_mount) m = {0};

	(void)state;
	assert_int_equal(mount_parse(&m, "type=cache,from=stage,target=$X", NULL, NULL, NULL), 0);
	assert_int_equal(m.kind, MOUNT_CACHE);
	assert_string_equal(m.from, "stage");
	assert_string_equal(m.text, "type=cache,from=stage,target=$X");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mounts),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(variables_wait_for_their_values),
		cmocka_unit_test(targets),
		cmocka_unit_test(from_is_known_before_expansion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
