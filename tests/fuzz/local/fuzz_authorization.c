/* A first line is the Authorization header, others are "name: value": whatever they are, nobody is let in without the secret. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "local/api_auth.h"

#define NOW  1440938160 /* 2015-08-30T12:36:00Z */
#define HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *header_of(void *arg, const char *name)
{
	const struct strlist *lines = arg;
	size_t n = strlen(name);

	if (strcmp(name, "authorization") == 0)
		return xstrdup(lines->items[0]);
	for (size_t i = 1; i < lines->n; i++)
		if (strncasecmp(lines->items[i], name, n) == 0 &&
		    strncmp(lines->items[i] + n, ": ", 2) == 0)
			return xstrdup(lines->items[i] + n + 2);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	AUTO(strlist) lines = STRLIST_INIT;
	AUTO(auth) a = AUTH_INIT;
	struct auth_refusal refusal = {0};
	const struct auth_request r = {"POST", "/", header_of, &lines};
	const struct auth_keys keys = {.access_key = "AKIDEXAMPLE",
				       .secret_key = "a secret that is in no corpus",
				       .account = "000000000000",
				       .region = "us-east-1",
				       .now = NOW};

	strlist_split(&lines, text, '\n');
	if (auth_read(&a, &r, &keys, &refusal) == 0 && auth_verify(&a, &r, HASH, &refusal) == 0)
		abort();
	if (refusal.problem == AUTH_FINE || !refusal.message)
		abort();
	free(refusal.message);
	return 0;
}
