/* Random requests: the signature is the one that botocore makes (tests/fakes/sigv4_requests.py, by seed). */
#include "aws/sigv4.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "base/process.h"

#include "tests/unit/base/testing.h"

#define SEED "20150830"

static const char *text_of(const json_t *j, const char *key)
{
	return json_string_value(json_object_get(j, key));
}

/* The lines of the script; false: this machine has no botocore. */
static bool make_requests(const char *count, struct strlist *lines)
{
	char *argv[] = {(char[]){"python3"}, (char[]){TEST_DATA "/../fakes/sigv4_requests.py"},
			(char[]){SEED}, xstrdup(count), NULL};
	const struct process_options o = {.path = "/usr/bin/python3", .argv = argv};
	AUTO(strbuf) out = STRBUF_INIT;
	AUTO(strbuf) errout = STRBUF_INIT;
	int status;

	assert_ok(process_capture(&o, NULL, 0, &out, &errout, 100000, NULL, &status, err));
	free(argv[3]);
	if (status != 0 && strstr(errout.buf, "No module named 'botocore'"))
		return false;
	if (status != 0)
		fail_msg("%s", errout.buf);
	strbuf_trim(&out);
	strlist_split(lines, out.buf, '\n');
	return true;
}

static void check(const char *line)
{
	struct sigv4_header headers[16];
	AUTO(strlist) out = STRLIST_INIT;
	AUTO_FREE char *wanted = NULL;
	AUTO_JSON *j = NULL;
	const json_t *list;

	assert_ok(json_parse(&j, line, strlen(line), "request", err));
	list = json_object_get(j, "headers");
	assert_in_range(json_array_size(list), 1, ARRAY_SIZE(headers));
	for (size_t i = 0; i < json_array_size(list); i++)
		headers[i] = (struct sigv4_header){
			json_string_value(json_array_get(json_array_get(list, i), 0)),
			json_string_value(json_array_get(json_array_get(list, i), 1))};
	const struct sigv4_request r = {
		.method = text_of(j, "method"),
		.path = text_of(j, "path"),
		.query = text_of(j, "query"),
		.headers = headers,
		.n_headers = json_array_size(list),
		.payload_hash = text_of(j, "payload"),
	};
	const struct sigv4_scope scope = {text_of(j, "region"), text_of(j, "service"),
					  json_integer_value(json_object_get(j, "time"))};
	const struct sigv4_keys keys = {text_of(j, "access_key"), text_of(j, "secret_key"),
					text_of(j, "token")};

	sigv4_sign(&out, &r, &scope, &keys);
	wanted = xstrfmt("Authorization: %s", text_of(j, "authorization"));
	if (strcmp(out.items[out.n - 1], wanted) != 0)
		fail_msg("%s\n%s\nbut botocore\n%s", line, out.items[out.n - 1], wanted);
}

static void test_random_requests(void **state)
{
	const char *count = getenv("SLIPWAY_SOAK") ? "5000" : "500";
	AUTO(strlist) lines = STRLIST_INIT;

	(void)state;
	if (!make_requests(count, &lines)) {
		print_message("needs: botocore of /usr/bin/python3\n");
		skip();
	}
	assert_int_equal(lines.n, strtoul(count, NULL, 10));
	for (size_t i = 0; i < lines.n; i++)
		check(lines.items[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_requests)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
