/* The mirrors of this user: --mirror, and registries.conf where other tools keep it. */
#pragma once

#include "base/log.h"
#include "cli/environment.h"
#include "registry/mirrors.h"

/*
 * options: of --mirror. *out stays NULL when there is nothing to know. Files, the later one wins: CONTAINERS_REGISTRIES_CONF alone;
 * else ~/.config/containers/registries.conf or /etc/containers/registries.conf, and the *.conf of both folders registries.conf.d.
 */
int mirroring_read(struct mirrors **out, const struct environment *e, const struct strlist *options,
		   struct error *err);
