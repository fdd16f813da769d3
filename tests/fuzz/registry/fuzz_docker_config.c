#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/docker_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const uint8_t *data, size_t size, const char *host, const char *repository)
{
	AUTO(login) l = {0};
	AUTO(error) err = ERROR_INIT;
	bool found = false;
	int rc = docker_config_parse((const char *)data, size, "config.json", host, repository, &l,
				     &found, &err);

	/* Found means that there is somebody; an error means that there is nobody. */
	if ((rc < 0) != (err.kind != ERROR_NONE) || (rc < 0 && found) ||
	    (found && !l.username && !l.identity_token) || (!found && (l.username || l.password)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	look_up(data, size, "docker.io", "library/debian");
	look_up(data, size, "r.io", "a/b");
	look_up(data, size, "r.io", NULL);
	return 0;
}
