#include "registry/policy.h"

#include <string.h>

#include "base/alloc.h"

static int refuse(const struct url *registry, const struct url *target, const char *what,
		  const char *why, struct error *err)
{
	AUTO_FREE char *from = url_host_port(registry);
	AUTO_FREE char *to = url_redact(target);

	return error_set(err, ERROR_DENIED, "%s names the %s %s: refused, %s", from, what, to, why);
}

int policy_check(const struct url *registry, const struct url *target, const char *what,
		 struct error *err)
{
	if (!url_is_http(target))
		return refuse(registry, target, what, "only http and https are spoken", err);
	if (target->userinfo)
		return refuse(registry, target, what, "it carries a user name or password", err);
	if (strcmp(registry->scheme, "https") == 0 && strcmp(target->scheme, "https") != 0) {
		refuse(registry, target, what, "the registry is spoken to over https", err);
		if (strcmp(registry->host, target->host) == 0)
			error_hint(err, "a registry behind a proxy must learn the outer scheme: "
					"X-Forwarded-Proto, or relative URLs "
					"(REGISTRY_HTTP_RELATIVEURLS=true)");
		return -1;
	}
	if (url_host_is_internal(target->host) && strcmp(registry->host, target->host) != 0 &&
	    !(url_host_is_loopback(registry->host) && url_host_is_loopback(target->host)))
		return refuse(registry, target, what, "the address is of no public network", err);
	return 0;
}
