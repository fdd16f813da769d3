/*
 * Operations of the local target's API with whatever input, one after another on one state: each succeeds with an answer that can be
 * written, or says why not. A line an operation: "ecs CreateCluster {"clusterName": "a"}". Those that need files are left out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strlist.h"
#include "local/api_answer.h"
#include "local/vpc.h"
#include "tests/unit/local/memory_state.h"

#define REGION "eu-west-1"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void perform(struct local *l, const struct api_service *s, const struct api_operation *o,
		    json_t *input)
{
	AUTO_FREE char *caller = xstrdup("arn:aws:iam::" LOCAL_ACCOUNT ":user/local");
	struct api_call c = {.local = l,
			     .service = s,
			     .region = REGION,
			     .account = LOCAL_ACCOUNT,
			     .host = "127.0.0.1:4599",
			     .caller = caller,
			     .input = input,
			     .output = json_object()};
	AUTO(strbuf) text = STRBUF_INIT;

	if (o->run(&c) == 0) {
		check(!c.code);
		api_answer_write(&text, &c, o->name);
		check(text.len > 0);
	} else {
		check(c.code && c.message && c.status >= 400);
	}
	json_decref(c.output);
	free(c.code);
	free(c.message);
}

/* What is kept is kept for good: it must be a document that can be written and read again. */
static void check_state(struct state *s)
{
	const char *kind, *key;
	json_t *documents, *document;

	json_object_foreach (s->kinds, kind, documents)
		json_object_foreach (documents, key, document) {
			AUTO(strbuf) text = STRBUF_INIT;
			AUTO_JSON *again = NULL;

			json_write(document, &text);
			check(json_parse(&again, text.buf, text.len, kind, NULL) == 0);
		}
}

static void run_line(struct local *l, const char *line)
{
	const char *operation = strchr(line, ' ');
	const char *json = operation ? strchr(operation + 1, ' ') : NULL;
	AUTO_FREE char *service = NULL, *name = NULL;
	AUTO_JSON *input = NULL;
	const struct api_operation *o;
	const struct api_service *s;

	if (!json || json_parse(&input, json, strlen(json), "input", NULL) < 0 ||
	    !json_is_object(input))
		return;
	service = xstrndup(line, (size_t)(operation - line));
	name = xstrndup(operation + 1, (size_t)(json - operation - 1));
	s = api_service_named(service);
	if (!s || strcmp(service, "ecr") == 0 || strcmp(service, "logs") == 0)
		return;
	o = api_service_find(s, name);
	if (o)
		perform(l, s, o, input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	AUTO(strlist) lines = STRLIST_INIT;
	char key[] = "AKIALOCAL", secret[] = "secret", region[] = REGION;
	struct local l = {.state = memory_state_new(),
			  .region = region,
			  .access_key = key,
			  .secret_key = secret,
			  .port = 4599};

	check(vpc_prepare(l.state, LOCAL_ACCOUNT, NULL) == 0);
	strlist_split(&lines, text, '\n');
	for (size_t i = 0; i < lines.n && i < 64; i++)
		run_line(&l, lines.items[i]);
	check_state(l.state);
	state_free(l.state);
	return 0;
}
