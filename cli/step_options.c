#include "cli/step_options.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/alloc.h"
#include "cli/options.h"
#include "dockerfile/value.h"
#include "sandbox/resource_limit.h"

#define GATEWAY         "host-gateway"
#define GATEWAY_ADDRESS "127.0.0.1"

static bool is_address(const char *text)
{
	unsigned char parsed[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, parsed) == 1 || inet_pton(AF_INET6, text, parsed) == 1;
}

int add_host_parse(struct strlist *out, const char *text, struct error *err)
{
	size_t len = strcspn(text, ":=");
	AUTO_FREE char *name = xstrndup(text, len);
	AUTO_FREE char *address = text[len] ? xstrdup(text + len + 1) : NULL;
	size_t n = address ? strlen(address) : 0;

	if (!*name || !n || strpbrk(name, " \t\n"))
		return error_set(err, ERROR_USAGE, "--add-host %s: want NAME:ADDRESS", text);
	if (address[0] == '[' && address[n - 1] == ']') {
		memmove(address, address + 1, n - 2);
		address[n - 2] = '\0';
	}
	if (strcmp(address, GATEWAY) == 0) {
		strlist_addf(out, "%s:%s", name, GATEWAY_ADDRESS);
		return 0;
	}
	if (!is_address(address))
		return error_set(err, ERROR_USAGE,
				 "--add-host %s: \"%s\" is neither an IP address nor " GATEWAY,
				 text, address);
	strlist_addf(out, "%s:%s", name, address);
	return 0;
}

static int unknown_resource(const char *text, const char *name, struct error *err)
{
	const char *near = options_nearest(name, resource_limit_names);

	return error_set(err, ERROR_USAGE, "--ulimit %s: there is no limit \"%s\"%s%s%s", text,
			 name, near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

static bool parse_amount(const char *text, uint64_t *out)
{
	if (strcmp(text, "-1") == 0) {
		*out = RLIM_INFINITY;
		return true;
	}
	return value_number(out, text, 10, INT64_MAX);
}

int limit_parse(struct sandbox_limit *out, const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	AUTO_FREE char *name = equals ? xstrndup(text, (size_t)(equals - text)) : xstrdup(text);
	AUTO_FREE char *soft = xstrdup(equals ? equals + 1 : "");
	char *hard = strchr(soft, ':');

	if (hard)
		*hard++ = '\0';
	if (!equals)
		return error_set(err, ERROR_USAGE, "--ulimit %s: want NAME=SOFT[:HARD]", text);
	*out = (struct sandbox_limit){0};
	if (!resource_limit_find(out, name))
		return unknown_resource(text, name, err);
	if (!parse_amount(soft, &out->soft) || !parse_amount(hard ? hard : soft, &out->hard))
		return error_set(err, ERROR_USAGE,
				 "--ulimit %s: want NAME=SOFT[:HARD] in numbers, -1 for no limit",
				 text);
	if (out->soft > out->hard)
		return error_set(err, ERROR_USAGE,
				 "--ulimit %s: the soft limit is above the hard one", text);
	return 0;
}

int limits_parse(struct sandbox_limit **out, size_t *n, const struct strlist *texts,
		 struct error *err)
{
	AUTO_FREE struct sandbox_limit *limits = xcalloc(texts->n + 1, sizeof(*limits));

	*n = 0;
	for (size_t i = 0; i < texts->n; i++) {
		struct sandbox_limit l;
		size_t k = 0;

		if (limit_parse(&l, texts->items[i], err) < 0)
			return -1;
		while (k < *n && limits[k].resource != l.resource)
			k++;
		limits[k] = l;
		*n += k == *n;
	}
	*out = take_ptr(limits);
	return 0;
}

int shm_size_parse(int64_t *out, const char *text, struct error *err)
{
	if (value_size(out, text, err) == 0)
		return 0;
	error_wrap(err, "--shm-size %s", text);
	err->kind = ERROR_USAGE;
	return -1;
}
