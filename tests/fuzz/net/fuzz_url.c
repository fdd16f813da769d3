#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was parsed is written so that it is parsed as the same again: nobody reads another host in it than we checked. */
static void check(const struct url *u)
{
	AUTO_FREE char *text = url_format(u);
	AUTO_FREE char *shown = url_redact(u);
	AUTO_FREE char *host = url_host_port(u);
	AUTO(url) again = {0};

	/* What is shown has the host, and of a query only that there is one. */
	if (!strstr(shown, host) || (u->query && !strstr(shown, "?..")))
		abort();
	url_host_is_internal(u->host ? u->host : "");
	url_host_is_loopback(u->host ? u->host : "");
	if (!url_is_http(u))
		return;
	if (url_parse(&again, text, NULL) < 0 || !url_same_origin(u, &again) ||
	    strcmp(u->path, again.path) != 0 || again.userinfo)
		abort();
}

/* Base and reference are the two parts around a newline. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = xstrndup((const char *)data, size);
	char *newline = strchr(text, '\n');
	AUTO(url) base = {0};
	AUTO(url) target = {0};

	if (newline)
		*newline = '\0';
	if (url_parse(&base, text, NULL) < 0)
		return 0;
	check(&base);
	if (newline && url_resolve(&target, &base, newline + 1, NULL) == 0)
		check(&target);
	return 0;
}
