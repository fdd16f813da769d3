#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "oci/config.h"

#define D1 "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define D2 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* Every field of image-spec config.md and docker's extensions, in the order we write. */
static const char full[] =
	"{\"architecture\":\"arm64\",\"author\":\"A <a@example.com>\",\"config\":{"
	"\"ArgsEscaped\":true,\"Cmd\":[\"--x\",\"\"],\"Entrypoint\":[\"/bin/app\"],"
	"\"Env\":[\"PATH=/usr/bin\",\"A=b=c\",\"EMPTY=\"],\"ExposedPorts\":{\"53/udp\":{},\"8080/tcp\":{}},"
	"\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":1000000000,\"Timeout\":2000000000,"
	"\"StartPeriod\":3000000000,\"StartInterval\":4000000000,\"Retries\":5},"
	"\"Labels\":{\"a\":\"\",\"b\":\"2\"},\"NetworkDisabled\":true,\"OnBuild\":[\"RUN true\"],"
	"\"Shell\":[\"/bin/bash\",\"-c\"],\"StopSignal\":\"SIGINT\",\"User\":\"1:2\","
	"\"Volumes\":{\"/a\":{},\"/b\":{}},\"WorkingDir\":\"/w\"},"
	"\"created\":\"2026-11-22T10:00:00Z\",\"history\":[{\"created\":\"2026-11-22T10:00:00Z\","
	"\"created_by\":\"ADD x\",\"author\":\"A\",\"comment\":\"c\"},{\"created_by\":\"CMD\",\"empty_layer\":true}],"
	"\"my.extension\":{\"k\":[1,null]},\"os\":\"linux\",\"os.features\":[\"x\"],\"os.version\":\"1\","
	"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]},\"variant\":\"v8\"}";

static char *rewrite(const char *text)
{
	AUTO(image_config) c;
	AUTO(error) err = ERROR_INIT;
	AUTO(strbuf) out = STRBUF_INIT;

	image_config_init(&c);
	if (image_config_parse(&c, text, strlen(text), "x", &err) < 0)
		fail_msg("%s", err.message);
	AUTO(image_config) copy;

	image_config_copy(&copy, &c);
	image_config_release(&c);
	image_config_write(&copy, &out);
	return strbuf_detach(&out, NULL);
}

static void test_round_trip(void **state)
{
	AUTO_FREE char *text = rewrite(full);

	(void)state;
	assert_string_equal(text, full);
}

static void test_fields(void **state)
{
	AUTO(image_config) c;

	(void)state;
	image_config_init(&c);
	assert_int_equal(image_config_parse(&c, full, strlen(full), "x", NULL), 0);
	assert_string_equal(c.platform.variant, "v8");
	assert_string_equal(c.user, "1:2");
	assert_string_equal(c.stop_signal, "SIGINT");
	assert_int_equal(c.env.n, 3);
	assert_true(c.has_cmd && c.has_entrypoint && c.has_healthcheck && c.args_escaped);
	assert_string_equal(c.cmd.items[1], "");
	assert_string_equal(c.exposed_ports.items[1], "8080/tcp");
	assert_int_equal(c.healthcheck.start_interval, 4000000000);
	assert_int_equal(c.healthcheck.retries, 5);
	assert_int_equal(c.n_diff_ids, 1);
	assert_int_equal(c.n_history, 2);
	assert_false(c.history[0].empty_layer);
	assert_true(c.history[1].empty_layer);
	assert_null(c.history[1].created);
	assert_string_equal(strmap_get(&c.labels, "b"), "2");
}

/* What docker's classic builder wrote: nulls, empty strings and the traces of the build. */
static void test_traces_are_dropped(void **state)
{
	static const char docker[] =
		"{\"architecture\":\"amd64\",\"config\":{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\","
		"\"AttachStdin\":false,\"AttachStdout\":false,\"AttachStderr\":false,\"Tty\":false,"
		"\"OpenStdin\":false,\"StdinOnce\":false,\"Env\":[\"PATH=/bin\"],\"Cmd\":[\"bash\"],"
		"\"Image\":\"" D1 "\",\"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,"
		"\"OnBuild\":null,\"Labels\":null},\"container\":\"ab12\",\"container_config\":"
		"{\"Hostname\":\"ab12\"},\"created\":\"2023-01-01T00:00:00.5Z\",\"docker_version\":\"20.10\","
		"\"history\":[{\"created\":\"2023-01-01T00:00:00.5Z\",\"created_by\":\"ADD\"}],\"id\":\"x\","
		"\"os\":\"linux\",\"parent\":\"y\",\"variant\":\"\","
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\"]}}";
	AUTO_FREE char *text = rewrite(docker);

	(void)state;
	assert_string_equal(
		text,
		"{\"architecture\":\"amd64\",\"config\":{\"Cmd\":[\"bash\"],\"Env\":[\"PATH=/bin\"]},"
		"\"created\":\"2023-01-01T00:00:00.5Z\",\"history\":[{\"created\":\"2023-01-01T00:00:00.5Z\","
		"\"created_by\":\"ADD\"}],\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1
		"\"]}}");
}

static void test_minimal(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null}}",
		 "{\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"},
		{"{\"rootfs\":{\"type\":\"layers\"},\"config\":null,\"history\":null}",
		 "{\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"},
		{"{\"rootfs\":{\"type\":\"layers\"},\"config\":{\"Cmd\":[],\"ExposedPorts\":"
		 "{\"b\":{},\"a\":{}},\"Healthcheck\":{}},\"history\":[{}]}",
		 "{\"config\":{\"ExposedPorts\":{\"a\":{},\"b\":{}},\"Healthcheck\":{}},\"history\":[{}],"
		 "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_FREE char *text = rewrite(rows[i].in);

		assert_string_equal(text, rows[i].out);
	}
}

#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}"

static void test_refused(void **state)
{
	static const struct {
		const char *text, *part;
		enum error_kind kind;
	} rows[] = {
		{"", "x", ERROR_CORRUPT},
		{"[]", "not a JSON object", ERROR_CORRUPT},
		{"{}", "rootfs", ERROR_CORRUPT},
		{"{\"rootfs\":{\"diff_ids\":[]}}", "type", ERROR_CORRUPT},
		{"{\"rootfs\":{\"type\":\"layers+base\",\"diff_ids\":[]}}", "layers+base",
		 ERROR_UNSUPPORTED},
		{"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:x\"]}}", "sha256:x",
		 ERROR_CORRUPT},
		{"{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[1]}}", "diff_ids", ERROR_CORRUPT},
		{"{" ROOTFS ",\"config\":[]}", "config", ERROR_CORRUPT},
		{"{" ROOTFS ",\"config\":{\"Env\":{}}}", "Env", ERROR_CORRUPT},
		{"{" ROOTFS ",\"config\":{\"Env\":[1]}}", "Env", ERROR_CORRUPT},
		{"{" ROOTFS ",\"config\":{\"User\":0}}", "User", ERROR_CORRUPT},
		{"{" ROOTFS ",\"config\":{\"ExposedPorts\":[\"80\"]}}", "ExposedPorts",
		 ERROR_CORRUPT},
		{"{" ROOTFS ",\"config\":{\"Healthcheck\":{\"Retries\":\"5\"}}}", "Retries",
		 ERROR_CORRUPT},
		{"{" ROOTFS ",\"history\":{}}", "history", ERROR_CORRUPT},
		{"{" ROOTFS ",\"history\":[\"x\"]}", "history", ERROR_CORRUPT},
		{"{" ROOTFS ",\"history\":[{\"created_by\":\"x\",\"empty_layer\":1}]}",
		 "empty_layer", ERROR_CORRUPT},
		{"{" ROOTFS "," ROOTFS "}", "duplicate", ERROR_CORRUPT},
		{"{" ROOTFS "}{}", "x", ERROR_CORRUPT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(image_config) c;
		AUTO(error) err = ERROR_INIT;

		image_config_init(&c);
		assert_int_equal(
			image_config_parse(&c, rows[i].text, strlen(rows[i].text), "x", &err), -1);
		if (err.kind != rows[i].kind || !strstr(err.message, rows[i].part))
			fail_msg("%s: %s: %s", rows[i].text, error_kind_name(err.kind),
				 err.message);
	}
}

static void test_edit(void **state)
{
	AUTO(image_config) c;
	AUTO(strbuf) text = STRBUF_INIT;
	struct digest d = digest_of("abc", 3);

	(void)state;
	image_config_init(&c);
	image_config_set_env(&c, "A", "1");
	image_config_set_env(&c, "AB", "2");
	image_config_set_env(&c, "A", "x=y");
	strlist_add(&c.env, "BARE");
	assert_string_equal(image_config_get_env(&c, "A"), "x=y");
	assert_string_equal(image_config_get_env(&c, "AB"), "2");
	assert_string_equal(image_config_get_env(&c, "BARE"), "");
	assert_null(image_config_get_env(&c, "B"));
	image_config_set_env(&c, "BARE", "3");
	image_config_add_port(&c, "80/tcp");
	image_config_add_port(&c, "443/tcp");
	image_config_add_port(&c, "80/tcp");
	image_config_add_volume(&c, "/b");
	image_config_add_volume(&c, "/a");
	image_config_add_layer(&c, &d);
	image_config_add_layer(&c, &c.diff_ids[0]);
	image_config_add_history(&c, "2026-11-22T10:00:00Z", "RUN x", "slipway", false);
	image_config_add_history(&c, NULL, "RUN y", NULL, false);
	image_config_add_history(&c, NULL, "CMD", NULL, true);
	image_config_write(&c, &text);
	assert_string_equal(
		text.buf,
		"{\"config\":{\"Env\":[\"A=x=y\",\"AB=2\",\"BARE=3\"],\"ExposedPorts\":{\"443/tcp\":{},\"80/tcp\":{}},"
		"\"Volumes\":{\"/a\":{},\"/b\":{}}},\"history\":[{\"created\":\"2026-11-22T10:00:00Z\","
		"\"created_by\":\"RUN x\",\"comment\":\"slipway\"},{\"created_by\":\"RUN y\"},"
		"{\"created_by\":\"CMD\",\"empty_layer\":true}],\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1
		"\",\"" D1 "\"]}}");
}

/* Data of a base image stays data: control characters, LD_PRELOAD and an empty PATH are carried, never acted upon. */
static void test_strange_values(void **state)
{
	static const char text[] =
		"{\"config\":{\"Env\":[\"LD_PRELOAD=/x.so\",\"PATH=\"],\"Labels\":{\"k\":\"a\\u001b[31m\\nb\"},"
		"\"OnBuild\":[\"RUN \\u0007\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}";
	AUTO_FREE char *again = rewrite(text);
	AUTO(image_config) c;

	(void)state;
	image_config_init(&c);
	assert_int_equal(image_config_parse(&c, again, strlen(again), "x", NULL), 0);
	assert_string_equal(strmap_get(&c.labels, "k"), "a\x1b[31m\nb");
	assert_string_equal(c.on_build.items[0], "RUN \a");
	/* Bytes that are no UTF-8 become U+FFFD, so that what is written can be read again. */
	image_config_add_volume(&c, "/\xff");
	AUTO(strbuf) out = STRBUF_INIT;

	image_config_write(&c, &out);
	assert_non_null(strstr(out.buf, "\"Volumes\":{\"/\xef\xbf\xbd\":{}}"));
}

static void test_check(void **state)
{
	AUTO(image_config) c;
	AUTO(error) err = ERROR_INIT;
	struct digest d = digest_of("abc", 3);

	(void)state;
	image_config_init(&c);
	assert_int_equal(image_config_check(&c, 0, "x", NULL), 0);
	assert_int_equal(image_config_check(&c, 1, "x", &err), -1);
	assert_int_equal(err.kind, ERROR_CORRUPT);
	assert_string_equal(err.message, "x: the manifest has 1 layers and the config 0 diff IDs");
	error_clear(&err);
	image_config_add_layer(&c, &d);
	assert_int_equal(image_config_check(&c, 1, "x", NULL), 0);
	image_config_add_history(&c, NULL, "CMD", NULL, true);
	assert_int_equal(image_config_check(&c, 1, "x", &err), -1);
	assert_non_null(strstr(err.message, "history"));
	image_config_add_history(&c, NULL, "RUN", NULL, false);
	assert_int_equal(image_config_check(&c, 1, "x", NULL), 0);
}

static void test_limits(void **state)
{
	AUTO(image_config) c;
	AUTO(strbuf) text = STRBUF_INIT;
	AUTO(error) err = ERROR_INIT;

	(void)state;
	image_config_init(&c);
	strbuf_puts(&text, "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[");
	for (int i = 0; i <= LIMIT_MANIFEST_LAYERS; i++)
		strbuf_printf(&text, "%s\"" D2 "\"", i ? "," : "");
	strbuf_puts(&text, "]}}");
	assert_int_equal(image_config_parse(&c, text.buf, text.len, "x", &err), -1);
	assert_non_null(strstr(err.message, "4097 diff IDs; the limit is 4096"));
	error_clear(&err);
	while (text.len <= LIMIT_CONFIG_BYTES)
		strbuf_putc(&text, ' ');
	assert_int_equal(image_config_parse(&c, text.buf, text.len, "x", &err), -1);
	assert_non_null(strstr(err.message, "the limit is 16777216"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_traces_are_dropped),
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_edit),
		cmocka_unit_test(test_strange_values),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
